"""Functions with requirements: what generated code imports reads the same on both."""

import importlib

import pytest

from .harness import same, submodule


def private(core):
    if core.__name__ == "autogen_core":
        return importlib.import_module("autogen_core.code_executor._func_with_reqs")
    return importlib.import_module("ferrogen.code_executor.functions_file")


def area(radius: float) -> float:
    """Compute the area of a circle."""
    return 3.14 * radius**2


def test_the_functions_file_holds_imports_and_functions():
    async def scenario(core, record):
        package = submodule(core, "code_executor")
        needed = package.ImportFromModule("math", ["pi", package.Alias("tau", "turn")])
        packed = package.with_requirements(["numpy"], [needed])(area)
        record(packed(1.0), packed.__name__, packed.__doc__, packed.python_packages)
        record(private(core).build_python_functions_file([packed, area]))
        text = package.FunctionWithRequirements.from_str("def one() -> int:\n    return 1\n")
        record(private(core).build_python_functions_file([text]))
        record(text.compiled_func(), text._func_name)

    same(scenario)


def test_stubs_show_head_and_docstring():
    async def scenario(core, record):
        package = submodule(core, "code_executor")
        record(private(core).to_stub(area))
        text = package.FunctionWithRequirements.from_str(
            "def one(n: int = 1) -> int:\n    return n"
        )
        record(private(core).to_stub(text))

    same(scenario)


@pytest.mark.parametrize("source", ["x = 1", "def a(): ...\ndef b(): ...", "raise KeyError('x')"])
def test_source_that_makes_no_single_function_is_refused(source):
    async def scenario(core, record):
        package = submodule(core, "code_executor")
        record.call("made", lambda: package.FunctionWithRequirements.from_str(source))

    same(scenario)


def test_a_string_function_is_not_callable():
    async def scenario(core, record):
        package = submodule(core, "code_executor")
        record.call("called", package.FunctionWithRequirementsStr("def one(): return 1"))

    same(scenario)
