"""What a program leaves behind on one package, another takes up on the other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
HANDOVER = HERE / "two_packages" / "handover.py"


@pytest.mark.parametrize(("giver", "taker"), [("upstream", "ferrogen"), ("ferrogen", "upstream")])
def test_a_team_and_its_state_travel(giver: str, taker: str, run_program: Any) -> None:
    assert run_program(HANDOVER, giver, "leave") == ""
    assert run_program(HANDOVER, taker, "take").splitlines() == [
        "['TextMessage', 'TextMessage', 'MemoryQueryEvent', 'TextMessage', 'TextMessage'] "
        "Maximum number of messages 4 reached, current message count: 4",
        "['Write.', 'one', 'no', 'two', 'Go on.', 'no', 'one']",
    ]


def test_pickles_and_cached_responses_of_upstream_are_readable(run_program: Any) -> None:
    assert run_program(HANDOVER, "upstream", "leave_pickles") == ""
    assert run_program(HANDOVER, "ferrogen", "take_pickles") == "True\nBecause it is.\n"


def test_worker_runtimes_of_both_packages_exchange_messages(run_program: Any) -> None:
    worker = HERE / "programs" / "grpc_worker.py"
    output = run_program(worker, "ferrogen", "--child-on-upstream")
    expected = run_program(worker, "upstream")
    assert output == "ferrogen and autogen_core\n" + expected
