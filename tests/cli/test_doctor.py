"""``ferrogen doctor`` tries each layer of the sandbox, and says by its exit code if any works."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from ferrogen.code_executor.sandbox import bubblewrap, diagnosis

Call = Callable[..., CompletedProcess[str]]


def test_every_layer_is_tried(process: Call):
    done = process("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    for layer in ("user namespaces", "bubblewrap", "Landlock", "seccomp", "code by bubblewrap"):
        assert any(line.startswith(f"yes  {layer}: ") for line in lines), layer
    for fact in ("user", "cgroups", "AppArmor", "surroundings"):
        assert any(line.startswith(f"-    {fact}: ") for line in lines), fact
    assert lines[-1] == "code is isolated by bubblewrap"


def test_the_diagnosis_is_printed_as_json_on_demand(process: Call):
    done = process("doctor", "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["isolations"][0] == "bubblewrap"


def without_bubblewrap(folder: Path) -> dict[str, str]:
    for name in ("sh", "setpriv", "nsenter", "true"):
        for place in ("/usr/bin", "/bin"):
            if os.access(f"{place}/{name}", os.X_OK) and not (folder / name).exists():
                (folder / name).symlink_to(f"{place}/{name}")
    return {"PATH": str(folder)}


def test_what_is_missing_is_named_with_what_to_do(
    ferrogen: Call, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    monkeypatch.setenv("PATH", without_bubblewrap(tmp_path)["PATH"])
    for module in (diagnosis, bubblewrap):
        monkeypatch.setattr(module, "find_bubblewrap", lambda: None)
    done = ferrogen("doctor")
    lines = done.stdout.splitlines()
    place = lines.index("NO   bubblewrap: not installed")
    assert "apt-get install bubblewrap" in lines[place + 1]
    assert any(line.startswith("NO   code by bubblewrap: ") for line in lines)


def test_a_machine_that_isolates_nothing_is_an_error(
    ferrogen: Call, monkeypatch: pytest.MonkeyPatch
):
    async def refused(isolation: str) -> str:
        return f"{isolation} does not work"

    monkeypatch.setattr(diagnosis, "_error_of_run", refused)
    monkeypatch.setattr(diagnosis, "make_user_namespace", lambda: "Operation not permitted")
    done = ferrogen("doctor")
    assert done.returncode == 1
    assert "NO   user namespaces: Operation not permitted" in done.stdout
    assert "refuses to run it" in done.stdout.splitlines()[-1]
