"""Components as users and their tests bend them: subclasses, overrides, patches."""

import sys
from types import ModuleType
from typing import Any, ClassVar
from unittest import mock

import pytest
from pydantic import BaseModel, SecretStr

from .harness import same, submodule

FIELD = "field_components"


@pytest.fixture(autouse=True)
def field(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of the user's, from which components are loaded."""
    module = ModuleType(FIELD)
    monkeypatch.setitem(sys.modules, FIELD, module)
    monkeypatch.setenv("AUTOGEN_ALLOWED_PROVIDER_NAMESPACES", FIELD)
    return module


def publish(component_class: Any) -> Any:
    """Put a class into that module, as if it had been written there."""
    component_class.__module__ = FIELD
    component_class.__qualname__ = component_class.__name__
    setattr(sys.modules[FIELD], component_class.__name__, component_class)
    return component_class


class LampConfig(BaseModel):
    watts: int
    shade: str | None = None
    key: SecretStr | None = None


def lamp(core) -> Any:
    @publish
    class Lamp(core.ComponentBase[LampConfig], core.Component[LampConfig]):
        """Gives light.

        And warmth.
        """

        component_type = "lamp"
        component_config_schema = LampConfig

        def __init__(self, watts=40, key=None):
            self.watts = watts
            self.key = key

        def _to_config(self):
            return LampConfig(watts=self.watts, key=self.key)

        @classmethod
        def _from_config(cls, config):
            return cls(config.watts, config.key)

    return Lamp


def refused(record, what: str, call: Any) -> None:
    """Note what a call raises; the words differ."""
    with pytest.raises((NotImplementedError, TypeError)) as caught:
        call()
    record.raised(what, caught.value, words=False)


def dumped(component) -> dict[str, Any]:
    return component.dump_component().model_dump()


def test_a_subclass_is_dumped_and_loaded_as_itself():
    async def scenario(core, record):
        base = lamp(core)

        @publish
        class Torch(base):
            component_type = "torch"
            component_label = "A torch"
            component_description = "Gives light outdoors."
            component_version = 3

        written = dumped(Torch(5))
        record(written)
        loaded = base.load_component(written)
        record(type(loaded).__name__, loaded.watts)
        refused(record, "too general", lambda: Torch.load_component(dumped(base())))

    same(scenario)


def test_a_subclass_inherits_the_provider_override_and_comes_back_as_its_base():
    async def scenario(core, record):
        memory = submodule(core, "memory")

        @publish
        class Diary(memory.ListMemory):
            async def query(self, query="", cancellation_token=None, **kwargs):
                return memory.MemoryQueryResult(results=[])

        written = Diary("mine").dump_component()
        record(written.provider, written.label, written.config)
        record(type(memory.Memory.load_component(written)).__name__)
        Diary.component_provider_override = None
        written = Diary("mine").dump_component()
        record(written.provider)
        record(type(memory.ListMemory.load_component(written)).__name__)

    same(scenario)


def test_a_subclass_may_have_a_config_and_a_way_to_load_it_of_its_own():
    async def scenario(core, record):
        base = lamp(core)

        class DimmedConfig(LampConfig):
            dimmed: float = 0.5

        @publish
        class Dimmed(base):
            component_config_schema = DimmedConfig

            def _to_config(self):
                return DimmedConfig(watts=self.watts, dimmed=0.25)

            @classmethod
            def _from_config(cls, config):
                made = super()._from_config(config)
                made.dimmed = config.dimmed
                return made

        written = dumped(Dimmed(60))
        record(written["config"])
        record(base.load_component(written).dimmed)
        del written["config"]["dimmed"]
        record(base.load_component(written).dimmed)

    same(scenario)


def test_methods_and_class_variables_may_be_patched():
    async def scenario(core, record):
        component = lamp(core)
        written = dumped(component())
        with mock.patch.object(component, "_from_config", return_value=component(7)) as made:
            record(component.load_component(written).watts, made.call_args[0][0].watts)
        with mock.patch.object(component, "_to_config", return_value=LampConfig(watts=1)):
            record(dumped(component())["config"])
        with mock.patch.object(component, "component_version", 5):
            record(dumped(component())["component_version"])
            refused(record, "past", lambda: component.load_component(written))
            with mock.patch.object(
                component, "_from_config_past_version", return_value=component(8)
            ) as migrated:
                record(component.load_component(written).watts, migrated.call_args[0])
        with mock.patch.object(component, "component_config_schema", mock.Mock()) as schema:
            schema.model_validate.return_value = LampConfig(watts=9)
            record(component.load_component(written).watts)
            record(schema.model_validate.call_args[0])
        one = component()
        one.component_label = "this very lamp"
        record(dumped(one)["label"])

    same(scenario)


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("models", "ChatCompletionClient"),
        ("model_context", "ChatCompletionContext"),
        ("memory", "Memory"),
        ("tools", "Workbench"),
    ],
)
def test_load_component_of_an_interface_may_be_patched(module: str, name: str):
    async def scenario(core, record):
        interface = f"{core.__name__}.{module}.{name}"
        with mock.patch(f"{interface}.load_component", return_value="patched") as load:
            record(getattr(submodule(core, module), name).load_component({"provider": "x"}))
            record(load.call_args[0])
        with mock.patch(f"{interface}.dump_component", return_value="patched"):
            component = mock.Mock(spec=getattr(submodule(core, module), name))
            record(component.dump_component.return_value is not None)

    same(scenario)


def test_a_patched_client_is_what_a_loaded_context_counts_with():
    async def scenario(core, record):
        client = mock.Mock()
        client.remaining_tokens.return_value = 1
        contexts = submodule(core, "model_context")
        config = {
            "provider": "autogen_core.model_context.TokenLimitedChatCompletionContext",
            "config": {"model_client": {"provider": "nowhere.Client", "config": {}}},
        }
        with mock.patch(
            f"{core.__name__}.models.ChatCompletionClient.load_component", return_value=client
        ):
            context = contexts.ChatCompletionContext.load_component(config)
        message = submodule(core, "models").UserMessage(content="Ciao", source="me")
        await context.add_message(message)
        record([kept.content for kept in await context.get_messages()])
        record(client.remaining_tokens.call_count)

    same(scenario)


def test_a_class_may_load_components_by_itself():
    async def scenario(core, record):
        base = lamp(core)

        @publish
        class Counting(base):
            loads = 0

            @classmethod
            def load_component(cls, model, expected=None):
                cls.loads += 1
                return super().load_component(model, expected)

        Counting.load_component(dumped(Counting()))
        core.ComponentLoader.load_component(dumped(Counting()), Counting)
        record(Counting.loads)

    same(scenario)


def test_short_names_of_ones_own_may_be_added():
    async def scenario(core, record):
        component = lamp(core)
        names = {
            "autogen_core": lambda: submodule(core, "_component_config"),
            "ferrogen": lambda: submodule(core, "components.providers"),
        }[core.__name__]().WELL_KNOWN_PROVIDERS
        with mock.patch.dict(names, {"lamp": f"{FIELD}.Lamp"}):
            record(component.load_component({"provider": "lamp", "config": {"watts": 3}}).watts)

    same(scenario)


def test_a_secret_in_a_dump_stays_one_and_is_masked_in_json():
    async def scenario(core, record):
        component = lamp(core)
        written = component(1, SecretStr("sk")).dump_component()
        record(repr(written.config), written.model_dump_json())
        record(component.load_component(written).key.get_secret_value())

    same(scenario)


def test_a_component_may_be_a_pydantic_model_itself():
    async def scenario(core, record):
        @publish
        class Bulb(BaseModel, core.ComponentBase[BaseModel], core.Component[LampConfig]):
            component_type: ClassVar[str] = "bulb"
            component_config_schema: ClassVar[type[BaseModel]] = LampConfig
            watts: int = 5

            def _to_config(self):
                return LampConfig(watts=self.watts)

            @classmethod
            def _from_config(cls, config):
                return cls(watts=config.watts)

        record(dumped(Bulb())["config"])
        record(Bulb.load_component(dumped(Bulb(watts=6))).model_dump())

    same(scenario)


def test_generic_and_abstract_components_are_recognized_alike():
    async def scenario(core, record):
        component = lamp(core)

        class NoBase(core.ComponentToConfig[LampConfig]):
            component_type = "half"

            def _to_config(self):
                return LampConfig(watts=1)

        record(core.is_component_class(component), core.is_component_class(NoBase))
        record(core.is_component_instance(component()), core.is_component_instance(NoBase()))
        record(core.is_component_instance(mock.Mock(spec=component)))
        for name in ("CacheStore", "ComponentBase", "Component", "ComponentLoader"):
            record(name, core.is_component_class(getattr(core, name)))
        refused(record, "unwritten", lambda: core.ComponentFromConfig._from_config(None))

    same(scenario)
