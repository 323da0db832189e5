"""Pickles travel between hooked and unhooked processes, and from upstream."""

import pickle
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import pytest

import ferrogen
from ferrogen import AgentId, AgentType, DefaultTopicId, TopicId, TypeSubscription

RunProgram = Callable[..., str]

VALUES = [
    AgentId("writer", "chapter/1"),
    AgentType("writer"),
    TopicId("news", "today"),
    DefaultTopicId("news", "today"),
    TypeSubscription("news", "reader", id="one"),
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: type(value).__name__)
def test_pickles_name_the_public_path(value: object):
    assert pickle.loads(pickle.dumps(value)) == value
    assert getattr(ferrogen, type(value).__name__) is type(value)
    assert type(value).__module__ == "ferrogen"


def test_hooked_and_unhooked_processes_read_each_other(run_program: RunProgram, tmp_path: Path):
    given, response = tmp_path / "given", tmp_path / "answer"
    given.write_bytes(pickle.dumps(VALUES))
    run_program(f"""
        import pathlib, pickle
        import ferrogen
        ferrogen.install()
        import autogen_core
        values = pickle.loads(pathlib.Path({str(given)!r}).read_bytes())
        assert type(values[0]) is autogen_core.AgentId
        pathlib.Path({str(response)!r}).write_bytes(pickle.dumps(values))
        """)
    assert pickle.loads(response.read_bytes()) == VALUES


@pytest.mark.skipif(find_spec("autogen_core") is None, reason="needs the released package")
@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickles_made_by_upstream_become_our_objects(
    run_program: RunProgram, tmp_path: Path, protocol: int
):
    values = """[
            AgentId("writer", "chapter/1"),
            {AgentId("writer", "chapter/1"): AgentId("reader", "")},
            AgentType("writer"),
            TopicId("news", "today"),
            DefaultTopicId("news", "today"),
            TypeSubscription("news", "reader", id="one"),
        ]"""
    names = "AgentId, AgentType, DefaultTopicId, TopicId, TypeSubscription"
    made = tmp_path / "made"
    run_program(f"""
        import pathlib, pickle
        from autogen_core import {names}
        values = {values}
        assert type(values[0]).__module__ == "autogen_core._agent_id"
        pathlib.Path({str(made)!r}).write_bytes(pickle.dumps(values, {protocol}))
        """)
    run_program(f"""
        import pathlib, pickle
        import ferrogen
        ferrogen.install()
        from ferrogen import {names}
        values = pickle.loads(pathlib.Path({str(made)!r}).read_bytes())
        assert values == {values}
        assert {{type(value).__module__ for value in values}} == {{"ferrogen", "builtins"}}
        """)
