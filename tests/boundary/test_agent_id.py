"""AgentId: AutoGen's grammar, error messages and behavior."""

from __future__ import annotations

import copy
import enum
import gc
import pickle
import weakref
from dataclasses import dataclass, field, replace
from typing import Any

import autogen_core
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ferrogen import AgentId, AgentType
from ferrogen._core import is_valid_agent_type

readable = st.text(st.characters(exclude_categories=["Cs"]))
anything = st.text(st.characters(), max_size=12)
valid_types = st.from_regex(r"[\w\-\.]+", fullmatch=True)


class Special(AgentId):
    """An id with something added."""

    def shout(self) -> str:
        return str(self).upper()


def outcome(make: Any) -> tuple[str, ...]:
    try:
        made = make()
    except ValueError as error:
        return ("ValueError", str(error))
    return (str(made), repr(made), made.type, made.key)


@given(readable, readable)
@example("writer\n", "key")
@example("", "")
@example("٣-ªₐ_·", "1")
@example("a\u0301", "combining")
@example("writer", 'with "quotes" and / slashes')
def test_types_and_keys_are_accepted_and_shown_as_upstream_does(agent_type: str, key: str) -> None:
    ours = outcome(lambda: AgentId(agent_type, key))
    assert ours == outcome(lambda: autogen_core.AgentId(agent_type, key))


@given(valid_types, readable)
def test_a_valid_id_is_shown_as_upstream_does_and_reads_back(agent_type: str, key: str) -> None:
    ours, theirs = AgentId(agent_type, key), autogen_core.AgentId(agent_type, key)
    assert (str(ours), repr(ours)) == (str(theirs), repr(theirs))
    assert AgentId.from_str(str(ours)) == ours


@given(st.characters(exclude_categories=["Cs"]))
def test_each_character_is_judged_as_upstream_judges_it(character: str) -> None:
    accepted = outcome(lambda: autogen_core.AgentId(character, ""))[0] != "ValueError"
    assert is_valid_agent_type(character) is accepted


@given(readable)
def test_an_id_is_read_from_text_as_upstream_reads_it(text: str) -> None:
    ours = outcome(lambda: AgentId.from_str(text))
    assert ours == outcome(lambda: autogen_core.AgentId.from_str(text))


@given(st.tuples(anything, anything), st.tuples(anything, anything))
@example(("a", "b/c"), ("a", "b/c"))
@example(("a", "b"), ("ab", ""))
def test_ids_are_equal_when_both_parts_are(one: tuple[str, str], other: tuple[str, str]) -> None:
    try:
        ids = AgentId(*one), AgentId(*other)
    except ValueError:
        return
    assert (ids[0] == ids[1]) is (one == other)
    if one == other:
        assert hash(ids[0]) == hash(ids[1])


def test_hashes_distinguish_type_and_key() -> None:
    hashes = {hash(AgentId(a, b)) for a in ("x", "y", "z") for b in ("x", "y", "z")}
    assert len(hashes) == 9


@pytest.mark.parametrize("other", [None, "writer/1", ("writer", "1"), object(), 0])
def test_an_id_is_not_equal_to_anything_else(other: object) -> None:
    assert AgentId("writer", "1") != other


def test_an_agent_type_object_names_the_type() -> None:
    assert AgentId(AgentType("writer"), "1") == AgentId("writer", "1")


@pytest.mark.parametrize("wrong", [None, 1, b"writer", ["writer"], object()])
def test_a_type_that_is_not_text_is_a_type_error(wrong: Any) -> None:
    with pytest.raises(TypeError, match="agent type must be a str or an AgentType"):
        AgentId(wrong, "key")


@pytest.mark.parametrize("wrong", [None, 1, b"key", AgentType("key")])
def test_a_key_that_is_not_text_is_a_type_error(wrong: Any) -> None:
    with pytest.raises(TypeError, match="agent key must be a str"):
        AgentId("writer", wrong)


def test_lone_surrogates_are_refused_before_they_can_reach_a_mailbox() -> None:
    with pytest.raises(ValueError, match="Invalid agent type"):
        AgentId("writer\ud800", "key")
    with pytest.raises(ValueError, match=r"agent key 'caf\\udce9' has lone surrogates"):
        AgentId("writer", "caf\udce9")


def test_members_of_a_string_enum_make_the_same_id_as_their_texts() -> None:
    class Kind(str, enum.Enum):
        WRITER = "writer"

    made, plain = AgentId(Kind.WRITER, Kind.WRITER), AgentId("writer", "writer")
    assert (made, hash(made), repr(made)) == (plain, hash(plain), repr(plain))
    assert type(made.type) is str
    assert type(made.key) is str


def test_an_id_cannot_be_changed() -> None:
    agent_id: Any = AgentId("writer", "1")
    for name in ("type", "key", "other"):
        with pytest.raises(AttributeError):
            setattr(agent_id, name, "x")
    with pytest.raises(AttributeError):
        del agent_id.type


def test_a_subclass_reads_copies_and_pickles_as_itself() -> None:
    special = Special.from_str("writer/1")
    special.mood = ["bright"]  # type: ignore[attr-defined]
    assert special.shout() == "WRITER/1"
    for again in (
        copy.copy(special),
        copy.deepcopy(special),
        *(pickle.loads(pickle.dumps(special, protocol)) for protocol in range(6)),
    ):
        assert type(again) is Special
        assert again == special
        assert again.mood == ["bright"]  # type: ignore[attr-defined]
    assert copy.deepcopy(special).mood is not special.mood  # type: ignore[attr-defined]
    assert special == AgentId("writer", "1")
    assert hash(special) == hash(AgentId("writer", "1"))


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_a_pickled_id_comes_back_equal_and_names_the_public_class(protocol: int) -> None:
    agent_id = AgentId("writer", "ключ/1")
    pickled = pickle.dumps(agent_id, protocol)
    assert pickle.loads(pickled) == agent_id
    assert b"ferrogen" in pickled
    assert b"_core" not in pickled


def upstreams_state(agent_type: object = "writer", key: object = "1") -> dict[str, object]:
    return {"_type": agent_type, "_key": key}


def test_an_id_that_is_being_unpickled_gets_its_parts_once() -> None:
    agent_id: Any = AgentId.__new__(AgentId)  # type: ignore[call-arg] # as upstream's pickles do
    agent_id.__setstate__(upstreams_state())
    assert agent_id == AgentId("writer", "1")
    with pytest.raises(AttributeError):
        agent_id.__setstate__(upstreams_state("reader"))
    assert agent_id == AgentId("writer", "1")


def test_a_subclass_gets_what_upstream_pickled_beside_the_parts() -> None:
    special: Any = Special.__new__(Special)  # type: ignore[call-arg]
    special.__setstate__({**upstreams_state(), "mood": "bright"})
    assert (special.shout(), vars(special)) == ("WRITER/1", {"mood": "bright"})


@pytest.mark.parametrize(
    ("state", "error"),
    [
        ({}, TypeError),
        ({"_type": "writer"}, TypeError),
        (upstreams_state(1), TypeError),
        (upstreams_state("no type"), ValueError),
        (upstreams_state(key="\ud800"), ValueError),
        (None, TypeError),
    ],
)
def test_a_state_that_makes_no_id_is_refused(state: Any, error: type[Exception]) -> None:
    agent_id: Any = AgentId.__new__(AgentId)  # type: ignore[call-arg]
    with pytest.raises(error):
        agent_id.__setstate__(state)


@pytest.mark.parametrize(
    "use",
    [
        *(str, repr, hash, pickle.dumps, copy.copy),
        lambda made: made.type,
        lambda made: made.key,
        lambda made: made == AgentId("writer", "1"),
        lambda made: AgentId("writer", "1") == made,
    ],
)
def test_an_id_that_never_got_its_parts_cannot_be_used(use: Any) -> None:
    with pytest.raises(TypeError, match="this AgentId has no type and key yet"):
        use(AgentId.__new__(AgentId))  # type: ignore[call-arg]


@pytest.mark.parametrize("arguments", [(), ("writer",), (None, None)])
def test_calling_the_class_without_a_part_is_refused(arguments: Any) -> None:
    with pytest.raises(TypeError):
        AgentId(*arguments)


def test_a_subclass_may_take_other_arguments() -> None:
    class Numbered(AgentId):
        def __new__(cls, number: int) -> Any:
            return super().__new__(cls, "writer", str(number))

    assert str(Numbered(1)) == "writer/1"


def test_an_id_has_the_public_path_of_its_class() -> None:
    assert (AgentId.__module__, AgentId.__qualname__) == ("ferrogen", "AgentId")


def test_an_id_can_be_referred_to_weakly() -> None:
    agent_id = AgentId("writer", "1")
    reference = weakref.ref(agent_id)
    assert reference() is agent_id
    del agent_id
    assert reference() is None


def test_a_cycle_through_a_subclass_is_collected() -> None:
    special = Special("writer", "1")
    special.itself = special  # type: ignore[attr-defined]
    reference = weakref.ref(special)
    del special
    gc.collect()
    assert reference() is None


def test_ids_serve_as_dict_keys_and_in_dataclasses() -> None:
    @dataclass(frozen=True, order=False)
    class Order:
        customer: AgentId
        waiters: dict[AgentId, int] = field(default_factory=dict, compare=False)

    order = Order(AgentId("guest", "1"), {AgentId("waiter", "a"): 1})
    assert order.waiters[AgentId("waiter", "a")] == 1
    assert replace(order) == order
    assert hash(order) == hash(Order(AgentId("guest", "1")))
    assert 'AgentId(type="guest", key="1")' in repr(order)
