"""Proves a wheel in an empty environment without Rust, and a source distribution by a build."""

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
PORTABLE = ("manylinux", "musllinux", "macosx", "win")
NEEDED = (
    *("ferrogen/py.typed", "ferrogen/_core.pyi", "licenses/LICENSE", ".pth"),
    *("project_template/pyproject", "skills/migrate-from-autogen/SKILL.md"),
)
WITHOUT_TYPER = "needs typer, which is not installed: pip install 'ferrogen[cli]'"
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
    archive = zipfile.ZipFile(wheel)
    names = archive.namelist()
    extensions = [name for name in names if name.endswith((".so", ".pyd"))]
    expected = f"ferrogen/_core{sysconfig.get_config_var('EXT_SUFFIX')}"
    require(extensions == [expected], f"its extensions are {extensions}, not [{expected!r}]")
    for needed in NEEDED:
        require(any(name.endswith(needed) for name in names), f"{needed} is missing")
    strays = [name for name in names if "_cache/" in name or name.endswith(".pyc")]
    require(not strays, f"it contains {', '.join(strays)}")
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
        self.programs = folder / "venv" / ("Scripts" if os.name == "nt" else "bin")
        venv.create(folder / "venv", with_pip=True)
        # PIP_ settings, proxies and the like belong to the machine and stay.
        dropped = ("PYTHON", "VIRTUAL_ENV", "CARGO", "RUST", "CONDA", "MAKE")
        self.variables = {k: v for k, v in os.environ.items() if not k.startswith(dropped)}
        self.variables["PATH"] = str(self.programs)
        for tool in ("cargo", "rustc", "zig"):
            require(shutil.which(tool, path=str(self.programs)) is None, f"{tool} is on the PATH")

    def install(self, requirement: str) -> None:
        """Installs a package with what it depends on."""
        self.run("python", "-m", "pip", "install", "--quiet", "--no-input", requirement)

    def run(self, program: str, *arguments: str) -> str:
        """Runs one of the environment's programs and returns what it printed."""
        done = self.call(program, *arguments)
        if done.returncode != 0:
            print(done.stdout, done.stderr, sep="\n", file=sys.stderr)
        require(done.returncode == 0, f"`{program} {' '.join(arguments)}` failed, see above")
        return done.stdout.strip()

    def call(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Runs one of the environment's programs, which may fail."""
        return subprocess.run(
            [self.programs / program, *arguments],
            cwd=self.folder,
            env=self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def check_programs(environment: EmptyEnvironment) -> None:
    """Runs programs under both names of the package, and by both names of the command."""
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


def check_extras(environment: EmptyEnvironment, wheel: Path) -> None:
    """Makes and runs a project without the extra `cli`, and a command that needs it with it."""
    refused = environment.call("ferrogen", "models")
    require(WITHOUT_TYPER in refused.stderr, f"`ferrogen models` said {refused.stderr!r}")
    environment.run("ferrogen", "new", "weather")
    said = environment.run("python", "weather/run.py", "--offline")
    require("18 degrees" in said, f"the project of `ferrogen new` printed {said!r}")
    said = environment.run("ferrogen", "skill")
    require("name: migrate-from-autogen" in said, f"`ferrogen skill` printed {said[:80]!r}")
    environment.install(f"{wheel}[cli]")
    require("MODEL" in environment.run("ferrogen", "models"), "`ferrogen models` lists nothing")


def build_wheel(sdist: Path, folder: Path) -> Path:
    """Builds a wheel of a source distribution with what is here: nothing may be downloaded."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-index", "--no-deps"),
            *("--no-build-isolation", "--wheel-dir", str(folder), str(sdist)),
        ],
        cwd=folder,
        env={**os.environ, "CARGO_NET_OFFLINE": "true"},
        check=False,
    )
    require(done.returncode == 0, f"{sdist.name} could not be built, see above")
    [wheel] = folder.glob("*.whl")
    return wheel


def main(distribution: Path) -> None:
    """Proves one wheel, or one source distribution."""
    with tempfile.TemporaryDirectory(prefix="ferrogen-wheel-") as name:
        # Resolved, as pip would name it: the extension's path is compared with it.
        folder = Path(name).resolve()
        is_wheel = distribution.suffix == ".whl"
        wheel = distribution if is_wheel else build_wheel(distribution, folder)
        if is_wheel:
            portable = any(tag in wheel.name for tag in PORTABLE)
            require(portable, f"{wheel.name} runs on this machine only")
            check_contents(wheel)
        environment = EmptyEnvironment(folder)
        environment.install(str(wheel))
        where = environment.run("python", "-c", WHERE)
        require(where.startswith(f"{folder}/"), f"ferrogen was imported from {where}")
        check_programs(environment)
        check_extras(environment, wheel)
    how = "installed" if is_wheel else "built offline, outside the repository, installed"
    print(f"proved {distribution.name}: {how} and run in an empty environment without Rust")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
