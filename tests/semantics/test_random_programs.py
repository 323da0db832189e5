"""Random programs: handlers observe the same in every execution mode."""

import asyncio
import sys
import warnings

import autogen_core
import pytest
import uvloop
from hypothesis import HealthCheck, Phase, given

import ferrogen

from ..random_examples import IN_SOAK, examples
from .player import run
from .programs import programs

playing = examples(
    20,
    database=None,
    # To reduce a program that fails takes minutes.
    phases=list(Phase) if IN_SOAK else [Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def in_debug_mode():
    loop = asyncio.new_event_loop()
    loop.set_debug(True)
    return loop


def with_eager_tasks():
    loop = asyncio.new_event_loop()
    loop.set_task_factory(asyncio.eager_task_factory)
    return loop


since_3_12 = pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with 3.12")
loops = [
    pytest.param(asyncio.new_event_loop, id="asyncio"),
    pytest.param(in_debug_mode, id="debug"),
    pytest.param(with_eager_tasks, id="eager", marks=since_3_12),
    pytest.param(uvloop.new_event_loop, id="uvloop"),
]


def play(core, program, loop=asyncio.new_event_loop, *, task_mode=False):
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        if task_mode:
            patch.setenv("FERROGEN_PLAIN_TASKS", "1")
        return run(core, program, loop)


def later(traces):
    """Leave out what an eager task sees only while it is being made.

    That is what its maker handles, and a name that its maker sets anew when it is made.
    """
    seen_at_once = ("handles", "name")
    return {
        where: [one for one in trace if one[0] not in seen_at_once]
        for where, trace in traces.items()
    }


@pytest.mark.parametrize("loop", loops)
@given(program=programs)
@playing
def test_inline_handlers_observe_what_handlers_in_task_mode_do(loop, program):
    inline = play(ferrogen, program, loop)
    task_mode = play(ferrogen, program, loop, task_mode=True)
    if loop is with_eager_tasks:
        inline["traces"], task_mode["traces"] = map(later, (inline["traces"], task_mode["traces"]))
    assert inline == task_mode
    assert inline["rules broken"] == []
    assert inline["unfinished"] == []
    assert inline["left"] == 0


@given(program=programs)
@playing
def test_handlers_observe_what_they_do_on_upstream(program):
    assert play(ferrogen, program)["traces"] == play(autogen_core, program)["traces"]
