"""Tools: fixed defects in the arguments and results of functions."""

import enum
import functools
import math
from typing import Annotated, Any

import autogen_core.tools
import pytest
from pydantic import AfterValidator, BaseModel, Field, ValidationError
from tests.compat.harness import both, submodule
from tests.tools import deferred_types

import ferrogen.tools
from ferrogen.exceptions import FunctionDumpError, ToolSchemaError


class Size(enum.Enum):
    SMALL = "s"


class Place(BaseModel):
    city: str


def helper(n: int) -> int:
    return n + math.floor(0.5)


def needs_a_helper(n: int) -> int:
    return helper(n)


def described(function, name):
    """Return how both packages describe one parameter."""
    return [
        package.tools.FunctionTool(function, "d").schema["parameters"]["properties"].get(name)
        for package in (autogen_core, ferrogen)
    ]


@pytest.mark.filterwarnings("ignore:Default value annotation:UserWarning")
def test_a_field_as_a_default_is_read():
    def take(n: int = Field(7, lt=50, description="N.")) -> Any:
        return n

    async def scenario(core, record):
        tool = submodule(core, "tools").FunctionTool(take, "d")
        record(type(await tool.run_json({}, core.CancellationToken())).__name__)
        await record.outcome("99", tool.run_json({"n": 99}, core.CancellationToken()), words=False)

    assert both(scenario) == (
        ["FieldInfo", ["99", 99]],
        ["int", ("99", "raised ValidationError")],
    )
    upstream, ours = described(take, "n")
    assert "exclusiveMaximum" not in upstream
    assert (ours["default"], ours["exclusiveMaximum"], ours["description"]) == (7, 50, "N.")


def test_what_stands_beside_a_text_in_annotated_is_read():
    def take(n: Annotated[int, "N.", Field(lt=50)]) -> None: ...

    upstream, ours = described(take, "n")
    assert "exclusiveMaximum" not in upstream
    assert (ours["exclusiveMaximum"], ours["description"]) == (50, "N.")


def test_annotated_without_a_text_is_not_a_fault():
    def take(name: Annotated[str, AfterValidator(str.upper)]) -> Any:
        return name

    with pytest.raises(ValueError, match="Invalid description"):
        autogen_core.tools.FunctionTool(take, "d")
    assert ferrogen.tools.FunctionTool(take, "d").args_type()(name="a").name == "A"


def test_texts_inside_a_type_are_descriptions():
    def take(n: Annotated[int, "N."] | None = None) -> None: ...

    upstream, ours = described(take, "n")
    assert (upstream["description"], ours["description"]) == ("n", "N.")


def test_descriptions_and_defaults_of_enums_and_models_are_kept():
    def take(size: Annotated[Size, "Of the shirt."] = Size.SMALL) -> None: ...

    upstream, ours = described(take, "size")
    assert not upstream.keys() & {"default", "description"}
    assert (ours["default"], ours["description"]) == ("s", "Of the shirt.")


def test_a_parameter_name_that_pydantic_reserves_is_taken():
    def underscore(_n: int) -> Any:
        return _n

    def reserved(model_config: int) -> Any:
        return model_config

    async def scenario(core, record):
        async def call(function, name):
            tool = submodule(core, "tools").FunctionTool(function, "d")
            return await tool.run_json({name: 1}, core.CancellationToken())

        await record.outcome("_n", call(underscore, "_n"), words=False)
        await record.outcome("model_config", call(reserved, "model_config"), words=False)

    upstream, ours = both(scenario)
    assert ["_n", 1] not in upstream
    assert ["model_config", 1] not in upstream
    assert ours == [["_n", 1], ["model_config", 1]]


def test_other_keywords_are_additional_properties():
    def take(**others: int) -> Any:
        return others

    async def scenario(core, record):
        tool = submodule(core, "tools").FunctionTool(take, "d")
        token = core.CancellationToken()
        record(tool.schema["parameters"]["required"])
        record(tool.schema["parameters"]["additionalProperties"])
        record(await tool.run_json({"a": 1, "others": 2}, token))

    assert both(scenario) == (
        [["others"], False, {"others": 2}],
        [[], {"type": "integer"}, {"a": 1, "others": 2}],
    )


def test_local_types_in_strings_are_found_or_named():
    with pytest.raises(NameError):
        autogen_core.tools.FunctionTool(deferred_types.in_the_closure(), "d")
    tool = ferrogen.tools.FunctionTool(deferred_types.in_the_closure(), "d")
    assert list(tool.schema["parameters"]["properties"]) == ["purse"]

    unseen = deferred_types.out_of_sight()
    with pytest.raises(NameError, match=r"^name 'Purse' is not defined$"):
        autogen_core.tools.FunctionTool(unseen, "d")
    with pytest.raises(ToolSchemaError, match=r"parameter 'purse' of out_of_sight\..*count cannot"):
        ferrogen.tools.FunctionTool(unseen, "d")


def test_a_parameter_of_a_type_without_schema_is_named():
    def take(a: int, b: Size, c: object.__class__ | str, d: math.__class__) -> None: ...

    with pytest.raises(Exception, match="Unable to generate pydantic-core schema") as upstream:
        autogen_core.tools.FunctionTool(take, "d")
    assert "parameter" not in str(upstream.value)
    with pytest.raises(ToolSchemaError, match="parameter 'd' cannot be described"):
        ferrogen.tools.FunctionTool(take, "d")


def test_a_result_is_readable_in_every_language():
    class Weather(BaseModel):
        city: str
        sky: str

    def weather() -> Weather:
        return Weather(city="Zürich", sky="晴れ")

    async def scenario(core, record):
        tools = submodule(core, "tools")
        workbench = tools.StaticWorkbench([tools.FunctionTool(weather, "d")])
        record((await workbench.call_tool("weather", {})).to_text())

    assert both(scenario) == (
        ['{"city": "Z\\u00fcrich", "sky": "\\u6674\\u308c"}'],
        ['{"city": "Zürich", "sky": "晴れ"}'],
    )


def test_a_result_with_a_lone_surrogate_can_be_sent():
    def name() -> str:
        return "caf\udce9.txt"

    async def scenario(core, record):
        tools = submodule(core, "tools")
        workbench = tools.StaticWorkbench([tools.FunctionTool(name, "d")])
        record((await workbench.call_tool("name", {})).to_text())

    assert both(scenario) == (["caf\udce9.txt"], ["caf\\udce9.txt"])


def test_a_dump_that_could_not_run_is_refused():
    written = autogen_core.tools.FunctionTool(needs_a_helper, "d").dump_component()
    assert "helper(n)" in written.config["source_code"]  # its calls fail
    with pytest.raises(FunctionDumpError, match="needs helper; define or import helper inside"):
        ferrogen.tools.FunctionTool(needs_a_helper, "d").dump_component()


def doubled(function):
    @functools.wraps(function)
    def call(n: int) -> int:
        return 2 * function(n)

    return call


@doubled
def replaced(n: int) -> int:
    return n


def test_a_dump_keeps_the_decorators_that_replace_a_function():
    written = autogen_core.tools.FunctionTool(replaced, "d").dump_component()
    assert written.config["source_code"].startswith("def replaced")  # it returns other results
    with pytest.raises(FunctionDumpError, match="needs doubled"):
        ferrogen.tools.FunctionTool(replaced, "d").dump_component()


async def test_a_tool_can_run_without_a_token():
    with pytest.raises(TypeError, match="cancellation_token"):
        autogen_core.tools.FunctionTool(helper, "d").run_json({"n": 1})
    assert await ferrogen.tools.FunctionTool(helper, "d").run_json({"n": 1}) == 1


class Basket(BaseModel):
    prices: list[int]


def test_wrong_arguments_are_told_by_their_path():
    def buy(basket: Basket) -> None: ...

    async def scenario(core, record):
        tool = submodule(core, "tools").FunctionTool(buy, "d")
        try:
            await tool.run_json({"basket": {"prices": [1, "x"]}}, core.CancellationToken())
        except ValidationError as error:
            record(str(error).splitlines()[0], error.errors()[0]["loc"])

    place = ["basket", "prices", 1]
    fault = "Input should be a valid integer, unable to parse string as an integer"
    assert both(scenario) == (
        [["1 validation error for buyargs", place]],
        [[f"basket.prices[1]: {fault}", place]],
    )
