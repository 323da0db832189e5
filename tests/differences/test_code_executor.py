"""Functions for executors: what is written runs, and text may import what it needs."""

import importlib

from tests.compat.harness import both, error_of, submodule


def functions_file(core):
    ours = core.__name__ == "ferrogen"
    home = "functions_file" if ours else "_func_with_reqs"
    return importlib.import_module(f"{core.__name__}.code_executor.{home}")


def test_a_functions_file_is_python_wherever_its_functions_stood():
    async def scenario(core, record):
        with_requirements = submodule(core, "code_executor").with_requirements

        @with_requirements(
            global_imports=["math"],
        )
        def area(radius: float) -> float:
            return math.pi * radius**2  # noqa: F821 - the file imports it

        async def run():
            names = {}
            exec(functions_file(core).build_python_functions_file([area]), names)
            record(round(names["area"](2), 2))

        record(type(await error_of(run())).__name__)

    upstream, ours = both(scenario)
    assert upstream == ["IndentationError"]
    assert ours == [12.57, "NoneType"]


def test_source_may_import_functions():
    source = "from os.path import join\ndef place(name: str) -> str:\n    return join('a', name)\n"

    async def scenario(core, record):
        packed = submodule(core, "code_executor").FunctionWithRequirements
        record.call("placed", lambda: packed.from_str(source).compiled_func("b"))

    upstream, ours = both(scenario)
    assert upstream == [
        ("placed", "raised ValueError: The string must contain exactly one function")
    ]
    assert ours == [["placed", "a/b"]]
