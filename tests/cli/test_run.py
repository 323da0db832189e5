"""``ferrogen run`` runs a program as Python does, with ferrogen in autogen_core's place."""

import signal
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from textwrap import dedent

import pytest

Call = Callable[..., CompletedProcess[str]]
Program = Callable[..., str]

FACTS = """
import sys
print(sys.argv, sys.path[0], __name__, __file__, __spec__, sys.flags.optimize)
print(sys.modules["__main__"].__dict__ is globals(), sorted(set(vars()) - {"sys"}))
"""


@pytest.fixture
def program(tmp_path: Path) -> Program:
    def write(text: str, name: str = "program.py") -> str:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(dedent(text))
        return name

    return write


def test_program_sees_what_it_sees_under_python(call: Call, process: Call, program: Program):
    arguments = [program(FACTS), "--help", "-x", "--", "-m", "two words", ""]
    plain, ours = call(*arguments), process("run", *arguments)
    assert (ours.returncode, ours.stdout, ours.stderr) == (0, plain.stdout, "")
    assert "'--help', '-x', '--', '-m', 'two words', ''" in ours.stdout


def test_module_sees_what_it_sees_under_python(call: Call, process: Call, program: Program):
    program("", "package/__init__.py")
    program("import sys; print(sys.argv, sys.path[0], __package__)", "package/module.py")
    arguments = ["-m", "package.module", "--help", "-m", "x"]
    plain, ours = call(*arguments), process("run", *arguments)
    assert (ours.returncode, ours.stdout, ours.stderr) == (0, plain.stdout, "")


def test_program_from_standard_input(process: Call):
    ours = process("run", "-", "x", text="import sys, autogen_core; print(sys.argv)")
    assert (ours.returncode, ours.stdout) == (0, "['-', 'x']\n")


def test_options_of_the_interpreter_are_kept(call: Call, program: Program):
    ours = call("-O", "-m", "ferrogen", "run", program("import sys; print(sys.flags.optimize)"))
    assert ours.stdout == "1\n"


def test_autogen_core_is_ferrogen_in_the_program(process: Call, program: Program):
    ours = process("run", program("import autogen_core; print(autogen_core.__name__)"))
    assert (ours.stdout, ours.stderr) == ("ferrogen\n", "")


def test_nothing_of_the_command_is_left_in_the_program(process: Call, program: Program):
    ours = process("run", program("import sys; print('typer' in sys.modules)"))
    assert ours.stdout == "False\n"


def test_classes_of_the_program_reach_its_children(process: Call, program: Program):
    name = program("""
        import multiprocessing
        from dataclasses import dataclass

        @dataclass
        class Note:
            text: str

        def echo(note):
            import autogen_core
            return Note(note.text + autogen_core.__name__)

        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.apply(echo, (Note("by "),)))
        """)
    assert process("run", name).stdout == "Note(text='by ferrogen')\n"


@pytest.mark.parametrize(
    "ending", ["sys.exit()", "sys.exit(7)", "sys.exit('words')", "sys.exit(None)", "os._exit(3)"]
)
def test_exit_codes_are_the_programs(call: Call, process: Call, program: Program, ending: str):
    name = program(f"import os, sys; {ending}")
    plain, ours = call(name), process("run", name)
    assert (ours.returncode, ours.stderr) == (plain.returncode, plain.stderr)


def test_traceback_is_the_programs_alone(call: Call, process: Call, program: Program):
    name = program("import autogen_core\ndef fail():\n    raise ValueError('boom')\nfail()\n")
    ours = process("run", name)
    assert ours.returncode == 1
    assert ours.stderr.startswith("Traceback")
    assert ours.stderr.endswith("ValueError: boom\n")
    assert [line for line in ours.stderr.splitlines() if "File" in line and name not in line] == []


def test_interrupt_ends_the_program_as_it_ends_python(call: Call, process: Call, program: Program):
    name = program("import os, signal; os.kill(os.getpid(), signal.SIGINT); input()")
    plain, ours = call(name), process("run", name)
    assert ours.returncode == plain.returncode == -signal.SIGINT
    assert ours.stderr == plain.stderr


def test_missing_program_is_one_sentence(process: Call):
    ours = process("run", "nowhere.py", "-x")
    assert (ours.returncode, ours.stdout) == (2, "")
    assert ours.stderr == 'ferrogen run: there is no program "nowhere.py"\n'


def test_missing_part_of_upstream_is_named(process: Call, program: Program):
    ours = process("run", program("import autogen_core._queue"))
    assert ours.returncode == 1
    assert ours.stderr.endswith("ferrogen does not provide autogen_core._queue yet\n")


def test_without_the_startup_file_it_refuses_instead_of_running_on_upstream(
    call: Call, program: Program
):
    name = program(f"""
        import sys
        from unittest import mock
        from ferrogen.cli.main import main
        sys.argv = ["ferrogen", "run", {"program.py"!r}]
        with mock.patch("ferrogen.cli.run.children_are_hooked", return_value=False):
            sys.exit(main())
        """)
    ours = call(name)
    assert (ours.returncode, ours.stdout) == (1, "")
    assert 'does not find the startup file "ferrogen_hook.pth"' in ours.stderr
