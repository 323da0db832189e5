"""Proves a wheel: an empty environment without Rust installs it and runs programs on it."""

import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import venv
import zipfile
from pathlib import Path

PROGRAM = Path(__file__).with_name("proof.py")
EXPECTED = "Number(value=42) negative [21, -1, 7] ferrogen"
WHERE = "import ferrogen._core; print(ferrogen._core.__file__)"


def require(holds: bool, otherwise: str) -> None:
    """Ends the program with one sentence unless the condition holds."""
    if not holds:
        sys.exit(f"the wheel is not proved: {otherwise}")


def named(folder: Path, contents: bytes) -> bool:
    """Returns whether a path in this folder stands in a file."""
    return f"{folder}/".encode() in contents


def check_contents(wheel: Path) -> None:
    """Looks into the wheel: one extension for this very Python, the types, the licence."""
    require("manylinux" in wheel.name, f"{wheel.name} is not a manylinux wheel")
    archive = zipfile.ZipFile(wheel)
    names = archive.namelist()
    extensions = [name for name in names if name.endswith(".so")]
    expected = f"ferrogen/_core{sysconfig.get_config_var('EXT_SUFFIX')}"
    require(extensions == [expected], f"its extensions are {extensions}, not [{expected!r}]")
    for needed in ("ferrogen/py.typed", "ferrogen/_core.pyi", "licenses/LICENSE", ".pth"):
        require(any(name.endswith(needed) for name in names), f"{needed} is missing")
    for folder in (Path.home(), Path.cwd()):
        # A short one, such as /, stands in any file without meaning the folder.
        leaks = [
            name for name in names if len(folder.parts) > 1 and named(folder, archive.read(name))
        ]
        require(not leaks, f"{', '.join(leaks)} name {folder}, a folder of this machine")


class EmptyEnvironment:
    """An environment in a temporary folder; its PATH leads to its own programs only."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.programs = folder / "venv" / "bin"
        venv.create(folder / "venv", with_pip=True)
        # PIP_ settings, proxies and the like belong to the machine and stay.
        dropped = ("PYTHON", "VIRTUAL_ENV", "CARGO", "RUST", "CONDA", "MAKE")
        self.variables = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
        self.variables["PATH"] = str(self.programs)
        for tool in ("cargo", "rustc", "zig"):
            require(shutil.which(tool, path=str(self.programs)) is None, f"{tool} is on the PATH")

    def run(self, program: str, *arguments: str) -> str:
        """Runs one of the environment's programs and returns what it printed."""
        done = subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0:
            print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        require(done.returncode == 0, f"`{program} {' '.join(arguments)}` failed, see above")
        return done.stdout.strip()


def main(wheel: Path) -> None:
    """Proves one wheel."""
    check_contents(wheel)
    with tempfile.TemporaryDirectory(prefix="ferrogen-wheel-") as name:
        # Resolved, as pip would name it: the extension's path is compared with it.
        environment = EmptyEnvironment(Path(name).resolve())
        environment.run("python", "-m", "pip", "install", "--quiet", "--no-input", str(wheel))
        where = environment.run("python", "-c", WHERE)
        require(where.startswith(f"{name}/"), f"ferrogen was imported from {where}")

        own = environment.folder / "own_names.py"
        own.write_text(PROGRAM.read_text().replace("from autogen_core", "from ferrogen"))
        borrowed = environment.folder / "autogen_names.py"
        shutil.copy(PROGRAM, borrowed)
        for command in (
            ("python", str(own)),
            ("ferrogen", "run", str(borrowed)),
            ("python", "-m", "ferrogen", "run", str(borrowed)),
        ):
            said = environment.run(*command)
            require(said.startswith(EXPECTED), f"`{' '.join(command)}` printed {said!r}")
    print(f"proved {wheel.name}: installed and run in an empty environment without Rust")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
