"""Components are dumped and loaded; what cannot be is refused by name."""

import sys

import pytest
from pydantic import BaseModel, ValidationError

from ferrogen import (
    CacheStore,
    Component,
    ComponentBase,
    ComponentLoader,
    ComponentModel,
    InMemoryStore,
    is_component_class,
    is_component_instance,
)
from ferrogen.exceptions import (
    ComponentDefinitionError,
    ComponentTypeError,
    ComponentVersionError,
    ProviderError,
)


class LampConfig(BaseModel):
    watts: int
    shade: str | None = None


class Lamp(ComponentBase[LampConfig], Component[LampConfig]):
    """Gives light.

    And warmth.
    """

    component_type = "lamp"
    component_config_schema = LampConfig
    component_version = 3

    def __init__(self, watts: int):
        self.watts = watts

    def _to_config(self) -> LampConfig:
        return LampConfig(watts=self.watts)

    @classmethod
    def _from_config(cls, config: LampConfig) -> "Lamp":
        return cls(config.watts)

    @classmethod
    def _from_config_past_version(cls, config: dict, version: int) -> "Lamp":
        if version == 1:
            raise NotImplementedError
        return cls(config["power"])


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AUTOGEN_ALLOWED_PROVIDER_NAMESPACES", f"elsewhere, {__name__}")


def test_what_is_dumped_says_all_that_loading_needs():
    assert Lamp(40).dump_component() == ComponentModel(
        provider=f"{__name__}.Lamp",
        component_type="lamp",
        version=3,
        component_version=3,
        description="Gives light.",
        label="Lamp",
        config={"watts": 40},
    )


@pytest.mark.usefixtures("trusted")
def test_a_component_comes_back_from_its_dump_as_a_model_and_as_a_dict():
    dumped = Lamp(40).dump_component()
    assert Lamp.load_component(dumped).watts == 40
    assert Lamp.load_component(dumped.model_dump()).watts == 40
    assert ComponentLoader.load_component(dumped, Lamp).watts == 40


@pytest.mark.usefixtures("trusted")
def test_a_config_of_a_past_version_is_migrated_or_refused():
    old = {"provider": f"{__name__}.Lamp", "component_version": 2, "config": {"power": 60}}
    assert Lamp.load_component(old).watts == 60
    with pytest.raises(ComponentVersionError, match=r"version 3 .* version 1"):
        Lamp.load_component({**old, "component_version": 1})


@pytest.mark.usefixtures("trusted")
def test_a_config_that_does_not_fit_its_schema_is_refused():
    with pytest.raises(ValidationError, match="watts"):
        Lamp.load_component({"provider": f"{__name__}.Lamp", "config": {}})


@pytest.mark.usefixtures("trusted")
def test_a_component_of_another_class_than_expected_is_refused():
    dumped = Lamp(40).dump_component()
    with pytest.raises(ComponentTypeError, match="Expected type does not match"):
        CacheStore.load_component(dumped)
    with pytest.raises(ComponentTypeError, match="Expected type does not match"):
        ComponentLoader.load_component(dumped, InMemoryStore)


@pytest.mark.parametrize("provider", ["autogen_core.InMemoryStore", "ferrogen.InMemoryStore"])
def test_both_names_of_the_package_load(provider: str):
    assert isinstance(
        CacheStore.load_component({"provider": provider, "config": {}}), InMemoryStore
    )


def test_a_private_path_of_upstream_loads():
    provider = "autogen_core._cache_store.InMemoryStore"
    assert CacheStore.load_component({"provider": provider, "config": {}})


@pytest.mark.parametrize("provider", ["", "InMemoryStore", "autogen_core.", "a..b", "os.sys;x"])
def test_what_is_no_dotted_path_is_refused(provider: str):
    with pytest.raises(ProviderError, match="Invalid provider"):
        ComponentLoader.load_component({"provider": provider, "config": {}})


@pytest.mark.parametrize(
    "value", ["", ",", "unheard_of_neighbour", "unheard", "unheard_of.deeper", " . "]
)
def test_a_module_that_is_not_trusted_is_not_imported(
    value: str, tmp_path, monkeypatch: pytest.MonkeyPatch
):
    (tmp_path / "unheard_of.py").write_text("raise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("AUTOGEN_ALLOWED_PROVIDER_NAMESPACES", value)
    with pytest.raises(ProviderError, match=r"'unheard_of'.* AUTOGEN_ALLOWED_PROVIDER_NAMESPACES"):
        ComponentLoader.load_component({"provider": "unheard_of.Thing", "config": {}})


@pytest.mark.parametrize("name", ["autogen_core.AgentId", "autogen_core.message_handler"])
def test_what_is_no_component_class_is_refused(name: str):
    with pytest.raises(ComponentTypeError, match="Invalid component class"):
        ComponentLoader.load_component({"provider": name, "config": {}})


def test_a_local_class_cannot_be_dumped():
    class Local(Lamp):
        pass

    with pytest.raises(ComponentTypeError, match="local class"):
        Local(1).dump_component()


@pytest.mark.usefixtures("trusted")
def test_a_class_that_lacks_its_schema_or_type_warns_and_is_refused():
    with pytest.warns(UserWarning, match="Class variable '.*' must be defined in Vague"):

        class Vague(ComponentBase[LampConfig], Component[LampConfig]):
            pass

    Vague.__qualname__ = "Vague"
    sys.modules[__name__].Vague = Vague  # where its provider string finds it
    with pytest.raises(ComponentDefinitionError, match="component_type not defined"):
        Vague().dump_component()
    with pytest.raises(ComponentDefinitionError, match="component_config_schema not defined"):
        Vague.load_component({"provider": f"{__name__}.Vague", "config": {}})


def test_a_component_without_its_base_warns():
    with pytest.warns(UserWarning, match="Half cannot be dumped and loaded"):

        class Half(Component[LampConfig]):
            component_type = "lamp"
            component_config_schema = LampConfig

    assert not is_component_class(Half)


def test_component_classes_and_instances_are_recognized():
    assert is_component_class(Lamp)
    assert not is_component_class(dict)
    assert is_component_instance(Lamp(1))
    assert not is_component_instance(Lamp)
