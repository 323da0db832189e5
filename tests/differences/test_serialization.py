"""Messages as bytes: nested classes come back, and what does not fit is refused by name."""

from dataclasses import dataclass, field
from typing import TypedDict

import attrs
import msgspec
import pytest
from autogen_core._base_agent import handles as upstream_handles
from autogen_core._serialization import DataclassJsonMessageSerializer as Upstream
from autogen_core._serialization import SerializationRegistry as UpstreamRegistry
from autogen_core._serialization import try_get_known_serializers_for_type as upstream_known
from pydantic import BaseModel
from tests.compat.harness import both

import ferrogen
from ferrogen.agents.base import handles
from ferrogen.exceptions import SerializationError
from ferrogen.serialization import message_version
from ferrogen.serialization.json_serializers import DataclassJsonMessageSerializer as Ours
from ferrogen.serialization.registry import SerializationRegistry


@dataclass
class Crate:
    weight: int


@dataclass
class HeavyCrate(Crate):
    straps: int = 2


class Label(BaseModel):
    text: str


@dataclass
class Cart:
    crates: list[Crate] = field(default_factory=list)


@dataclass
class Labelled:
    label: Label


def test_nested_dataclasses_come_back_as_what_they_were():
    cart = Cart([Crate(1), Crate(2)])
    theirs, ours = Upstream(Cart), Ours(Cart)
    assert theirs.deserialize(theirs.serialize(cart)) == Cart([{"weight": 1}, {"weight": 2}])
    assert ours.deserialize(ours.serialize(cart)) == cart


def test_nested_models_come_back_as_what_they_were():
    with pytest.raises(ValueError, match="nested dataclasses or base models"):
        Upstream(Labelled)
    ours, message = Ours(Labelled), Labelled(Label(text="fragile"))
    assert ours.deserialize(ours.serialize(message)) == message


def test_fields_are_checked_on_reading():
    assert Upstream(Crate).deserialize(b'{"weight":"heavy"}') == Crate("heavy")
    with pytest.raises(SerializationError):
        Ours(Crate).deserialize(b'{"weight":"heavy"}')


def test_unknown_fields_are_passed_over():
    with pytest.raises(TypeError):
        Upstream(Crate).deserialize(b'{"weight":1,"colour":"red"}')
    assert Ours(Crate).deserialize(b'{"weight":1,"colour":"red"}') == Crate(1)


def test_what_has_no_json_form_is_a_serialization_error():
    with pytest.raises(TypeError):
        Upstream(Crate).serialize(Crate(object()))
    with pytest.raises(SerializationError):
        Ours(Crate).serialize(Crate(object()))


def test_a_nested_subclass_comes_back_as_the_class_that_is_declared():
    cart, ours = Cart([HeavyCrate(3)]), Ours(Cart)
    assert ours.deserialize(ours.serialize(cart)) == Cart([Crate(3)])


def test_a_serializer_of_ones_own_serves_a_handler():
    class Odd:
        """Neither a dataclass nor a model: no serializer is known for it."""

    class OddJson:
        data_content_type = "application/json"
        type_name = "Odd"

        def serialize(self, message):
            return b"{}"

        def deserialize(self, payload):
            return Odd()

    async def scenario(core, record):
        @(handles if core is ferrogen else upstream_handles)(Odd, OddJson())
        class Agent(core.RoutedAgent):
            @core.message_handler
            async def on_odd(self, message: Odd, ctx: core.MessageContext) -> None:
                record("handled")

        runtime = core.SingleThreadedAgentRuntime()
        register = Agent.register(runtime, "agent", lambda: Agent("takes odd messages"))
        await record.outcome("register", register, words=False)
        runtime.start()
        await runtime.send_message(Odd(), core.AgentId("agent", "k"))
        await runtime.stop_when_idle()

    upstream, ours = both(scenario)
    assert upstream == [("register", "raised ValueError"), "handled"]
    assert ours == [["register", "AgentType agent"], "handled"]


def test_more_kinds_of_classes_are_messages():
    class Struct(msgspec.Struct):
        text: str

    @attrs.define
    class Attrs:
        text: str

    class Dict(TypedDict):
        text: str

    for cls in (Struct, Attrs, Dict):
        assert upstream_known(cls) == []
        [serializer] = ferrogen.try_get_known_serializers_for_type(cls)
        assert serializer.serialize(cls(text="x")) == b'{"text":"x"}'


def test_what_has_json_has_messagepack_too():
    how = {"type_name": "Crate", "data_content_type": "application/msgpack"}
    theirs, ours = UpstreamRegistry(), SerializationRegistry()
    theirs.add_serializer(upstream_known(Crate))
    ours.add_serializer(ferrogen.try_get_known_serializers_for_type(Crate))
    with pytest.raises(ValueError, match="application/msgpack"):
        theirs.serialize(Crate(1), **how)
    assert ours.deserialize(ours.serialize(Crate(1), **how), **how) == Crate(1)


def test_upstream_does_not_take_a_later_version_for_the_first():
    @message_version(2)
    @dataclass
    class Bale:
        weight: int

    payload = ferrogen.try_get_known_serializers_for_type(Bale)[0].serialize(Bale(1))
    with pytest.raises(TypeError, match=r"\$version"):
        Upstream(Bale).deserialize(payload)
