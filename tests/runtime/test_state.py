"""Saved state: all agents are saved and restored, or none."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ferrogen import AgentId, SingleThreadedAgentRuntime
from ferrogen.exceptions import AgentNotFoundError, StateError
from ferrogen.runtime.state import VERSION_KEY

from .function_agents import Doing, instances, register

Runtime = SingleThreadedAgentRuntime


async def number_of(runtime: Runtime, agent_id: AgentId) -> int:
    return (await runtime.try_get_underlying_agent_instance(agent_id, Doing)).number


async def test_state_goes_through_json_into_another_runtime(runtime: Runtime) -> None:
    a = await register(runtime, "a")
    for key, number in (("x", 1), ("y/z", 2)):
        (await runtime.try_get_underlying_agent_instance(a(key), Doing)).number = number
    saved = json.loads(json.dumps(await runtime.save_state()))
    assert saved == {"a/x": {"number": 1}, "a/y/z": {"number": 2}}
    other = SingleThreadedAgentRuntime()
    await register(other, "a")
    await other.load_state(saved)
    assert [await number_of(other, a(key)) for key in ("x", "y/z")] == [1, 2]
    assert await other.save_state() == saved


async def test_the_state_of_one_agent_can_be_saved_and_loaded(runtime: Runtime) -> None:
    a = await register(runtime, "a")
    await runtime.agent_load_state(a(), {"number": 5})
    assert await runtime.agent_save_state(a()) == {"number": 5}
    with pytest.raises(AgentNotFoundError):
        await runtime.agent_save_state(AgentId("b", "1"))


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"a/1": {"number": 1}, "b/1": {}}, 'agent type "b" is not registered'),
        ({"a/1": {"number": 1}, "no slash": {}}, "entry 'no slash'"),
        ({"a/1": {"number": 1}, "two words/1": {}}, "entry 'two words/1'"),
        ({"a/1": {"number": 1}, "a/2": [1]}, "state of agent 'a/2' is a mapping, not list"),
        ({"a/1": {"number": 1}, 7: {}}, "entry 7"),
        ({"a/1": {"number": 1}, VERSION_KEY: 2}, "version 2, and this Ferrogen reads version 1"),
        ({"a/1": {"number": 1}, VERSION_KEY: "x"}, "version 'x'"),
        ([("a/1", {})], "a mapping, not list"),
        (None, "a mapping, not NoneType"),
    ],
)
async def test_a_state_that_cannot_be_loaded_is_named_and_changes_nothing(
    runtime: Runtime, wrong: Any, named: str
) -> None:
    await register(runtime, "a")
    with pytest.raises(StateError, match=named):
        await runtime.load_state(wrong)
    assert instances(runtime) == []


async def test_a_state_that_is_marked_as_version_1_is_loaded(runtime: Runtime) -> None:
    a = await register(runtime, "a")
    await runtime.load_state({VERSION_KEY: 1, "a/1": {"number": 3}})
    assert await number_of(runtime, a("1")) == 3


async def test_the_error_of_an_agents_own_load_comes_through(runtime: Runtime) -> None:
    await register(runtime, "a")
    with pytest.raises(KeyError, match="number"):
        await runtime.load_state({"a/1": {}})
