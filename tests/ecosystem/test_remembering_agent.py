"""An unmodified AssistantAgent remembers in a SqliteMemory."""

from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("remembering_agent.py")


def test_an_assistant_recalls_and_saves(run_program: Any, tmp_path: Path) -> None:
    path = str(tmp_path / "memory.sqlite")
    assert run_program(PROGRAM, "ferrogen", path, fresh=True).splitlines() == [
        ' system: ["Relevant memory:\\n1. Ada likes green tea."]',
        " recalled: ['Ada likes green tea.']",
        " score: True",
        ' system: ["Relevant memory:\\n1. Ada likes green tea."]',
        "compacted, saved and loaded",
        ' system: ["Relevant memory:\\n1. Ada likes green tea."]',
        ' system: ["Summary of the earlier conversation:\\nAda asked for tea."]',
        ' system: ["Summary of the earlier conversation:\\nAda asked for tea.", '
        '"Relevant memory:\\n1. Bob lives in Turin."]',
    ]
