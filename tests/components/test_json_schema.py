"""The JSON Schema of a component takes what loading takes, and refuses what it refuses."""

import importlib
import json
import pkgutil
from collections.abc import Callable
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

import ferrogen
from ferrogen import Component, ComponentBase, InMemoryStore, is_component_class
from ferrogen.components import EnvironmentSecret, check_component, component_json_schema
from ferrogen.components.providers import find_provider
from ferrogen.exceptions import ComponentDefinitionError, ComponentTypeError
from ferrogen.memory import ListMemory, MemoryContent
from ferrogen.model_context import BufferedChatCompletionContext, TokenLimitedChatCompletionContext
from ferrogen.models import UserMessage

from . import machines
from .machines import Car, Engine, EngineConfig, car, engine

pytestmark = pytest.mark.usefixtures("trusted")


def accepts(schema: dict[str, Any]) -> Callable[[Any], bool]:
    validator = jsonschema_rs.validator_for(schema)
    return lambda component: validator.is_valid(json.loads(json.dumps(component)))


ENGINE_SCHEMA = component_json_schema(Engine)
CAR_SCHEMA = component_json_schema(Car, nested=[Car, Engine])


@pytest.mark.parametrize(
    "component",
    [
        InMemoryStore(),
        ListMemory("tastes", [MemoryContent(content="tea", mime_type="text/plain")]),
        BufferedChatCompletionContext(2, [UserMessage(content="Ciao", source="me")]),
        Engine(EngineConfig(power=1, key="sk")),
    ],
    ids=lambda component: type(component).__name__,
)
def test_what_is_dumped_fits(component):
    dumped = component.dump_component().model_dump(mode="json")
    assert accepts(component_json_schema(type(component)))(dumped)


def components_of_the_package() -> list[type]:
    modules = [
        importlib.import_module(module.name)
        for module in pkgutil.walk_packages(ferrogen.__path__, "ferrogen.")
        if not module.name.endswith("__main__")
    ]
    values = (value for module in modules for value in vars(module).values())
    return sorted(set(filter(is_component_class, values)), key=lambda value: value.__name__)


@pytest.mark.parametrize("component_class", components_of_the_package())
def test_every_component_of_the_package_is_described_under_a_name_that_finds_it(component_class):
    schema = component_json_schema(component_class)
    jsonschema_rs.meta.validate(schema)
    wrapping = schema["$defs"][schema["$ref"].removeprefix("#/$defs/")]["properties"]
    provider = wrapping["provider"]
    for name in provider.get("enum", [provider.get("const")]):
        if "." in name and not name.startswith("autogen_ext"):
            assert find_provider(name) is component_class


def test_the_schema_is_one_of_the_newest_draft():
    assert ENGINE_SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    jsonschema_rs.meta.validate(ENGINE_SCHEMA)
    jsonschema_rs.meta.validate(CAR_SCHEMA)


@pytest.mark.parametrize(
    ("component", "fits"),
    [
        (engine(), True),
        ({**engine(), "component_version": 2, "component_type": "engine", "version": 7}, True),
        ({**engine(), "component_version": 1}, False),
        ({**engine(), "component_type": "motor"}, False),
        ({**engine(), "provider": "elsewhere.Engine"}, False),
        ({"provider": engine()["provider"]}, False),
        (engine(power=0), False),
        (engine(key="sk"), True),
        (engine(key={"$env": "KEY"}, spare_keys=["sk", {"$env": "KEY"}]), True),
        (engine(key={"$env": ""}), False),
        (engine(key={"$env": "KEY", "more": 1}), False),
        (engine(label={"$env": "KEY"}), False),
    ],
)
def test_the_wrapping_the_config_and_references_to_secrets_are_described(component, fits):
    assert accepts(ENGINE_SCHEMA)(component) is fits


@pytest.mark.parametrize(
    ("component", "anything", "known"),
    [
        (car(trailers=[car(owner="me")]), True, True),
        (car(engine=engine(power=0)), True, False),
        (car(trailers=[{"provider": "autogen_core.InMemoryStore", "config": {}}]), True, False),
        (car(engine={"provider": "x.Y"}), False, False),
    ],
)
def test_nested_components_are_anything_or_of_the_classes_that_are_given(
    component, anything, known
):
    assert accepts(component_json_schema(Car))(component) is anything
    assert accepts(CAR_SCHEMA)(component) is known


def test_with_no_classes_for_nested_components_there_can_be_none():
    schema = component_json_schema(TokenLimitedChatCompletionContext, nested=[])
    store = InMemoryStore().dump_component().model_dump()
    component = {
        "provider": "autogen_core.model_context.TokenLimitedChatCompletionContext",
        "config": {"model_client": store},
    }
    assert not accepts(schema)(component)
    assert accepts(component_json_schema(TokenLimitedChatCompletionContext))(component)


def test_classes_of_one_name_are_distinguished():
    class Engine(ComponentBase[EngineConfig], Component[EngineConfig]):
        component_type = "toy"
        component_config_schema = EngineConfig
        component_provider_override = "toys.Engine"

    schema = component_json_schema(Car, nested=[Engine, globals()["Engine"]])
    assert accepts(schema)(car())
    assert accepts(schema)(car(engine={"provider": "toys.Engine", "config": {"power": 1}}))


def test_descriptions_are_what_the_classes_say():
    described = CAR_SCHEMA["$defs"]["Car"]
    assert (described["title"], described["description"]) == (
        "Car",
        "Carries an engine, and pulls others.",
    )


def test_no_default_shows_a_secret(monkeypatch):
    class Defaulted(BaseModel):
        key: EnvironmentSecret = EnvironmentSecret("KEY")

    monkeypatch.setenv("KEY", "sk-very-secret")
    monkeypatch.setattr(Engine, "component_config_schema", Defaulted)
    assert "sk-very-secret" not in json.dumps(component_json_schema(Engine))


def test_what_cannot_be_described_is_refused(monkeypatch):
    class Calling(BaseModel):
        call: Callable[[], int]

    with pytest.raises(ComponentTypeError, match="is not a component class"):
        component_json_schema(dict)
    monkeypatch.setattr(Engine, "component_config_schema", Calling)
    with pytest.raises(ComponentDefinitionError, match=r"no words for a config .*Engine"):
        component_json_schema(Engine)
    monkeypatch.delattr(Engine, "component_type")
    with pytest.raises(ComponentDefinitionError, match="component_type not defined"):
        component_json_schema(Engine)


SECRETS = st.text(max_size=3) | st.fixed_dictionaries({"$env": st.just("PATH")}) | st.integers()
ENGINES = st.fixed_dictionaries(
    {"provider": st.just(engine()["provider"])},
    optional={
        "component_version": st.sampled_from([None, 1, 2, 3]),
        "component_type": st.sampled_from([None, "engine", "car"]),
        "config": st.fixed_dictionaries(
            {},
            optional={
                "power": st.sampled_from([-1, 0, 1, 5, None, [], {}]),
                "key": st.none() | SECRETS,
                "spare_keys": st.lists(SECRETS, max_size=2) | st.none(),
                "label": SECRETS,
            },
        ),
    },
)


@given(component=ENGINES)
def test_the_schema_and_the_dry_run_agree(component):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AUTOGEN_ALLOWED_PROVIDER_NAMESPACES", machines.__name__)
        faults = check_component(component)
    assert accepts(ENGINE_SCHEMA)(component) is (faults == [])
