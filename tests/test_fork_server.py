"""A program in a fork of the fork server starts and ends as in a new interpreter."""

import os
import signal
import subprocess
import sys

import pytest

from .fork_server import ForkServer


@pytest.fixture(params=[False, True], ids=["", "finalizing"])
def run(fork_server, tmp_path, request):
    """Give a function that runs a program in a fork."""
    forks = fork_server("json", finalizing=request.param)

    def run_program(code, *arguments, **options):
        program = tmp_path / "program.py"
        program.write_text(code)
        return forks.run(str(program), *arguments, cwd=tmp_path, **options)

    return run_program


def test_it_has_its_arguments_its_folder_its_input_and_its_environment(run, tmp_path):
    code = "import os, sys; print(sys.argv[1:], os.getcwd(), input(), dict(os.environ), __name__)"
    done = run(code, "-x", "two words", text="typed\n", env={"NAME": "value"})
    output = f"['-x', 'two words'] {tmp_path} typed {{'NAME': 'value'}} __main__\n"
    assert (done.returncode, done.stdout, done.stderr) == (0, output, "")


THREAD = """
import sys, threading
main = threading.current_thread()
def end():
    main.join()
    sys.stderr.write("it has ended")
threading.Thread(target=end).start()
"""


@pytest.mark.parametrize(
    ("code", "status", "complaint"),
    [
        ("raise SystemExit(7)", 7, ""),
        ("raise SystemExit", 0, ""),
        ("raise SystemExit(-1)", 255, ""),
        ("raise SystemExit('in words')", 1, "in words\n"),
        ("import os; os._exit(3)", 3, ""),
        ("raise ValueError('boom')", 1, "ValueError: boom\n"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGTERM)", -15, ""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGINT); input()", -2, "Interrupt\n"),
        ("import atexit, sys; atexit.register(sys.stderr.write, 'at the end')", 0, "at the end"),
        ("async def f(): pass\nkept = f()", 0, "coroutine 'f' was never awaited"),
        ("class A: __del__ = lambda self: print('gone', flush=True)\na = A()\na.a = a", 0, ""),
        (THREAD, 0, "it has ended"),
    ],
)
def test_it_ends_as_it_ends_in_a_new_interpreter(run, code, status, complaint):
    new = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    for done in (run(code), new):
        assert done.returncode == status
        assert done.stdout == new.stdout
        assert complaint in done.stderr
        assert bool(done.stderr) == bool(complaint)


def test_what_one_program_changes_is_not_seen_by_the_next(run):
    change = "import json, os; json.changed = os.environ['CHANGED'] = 'yes'; os.chdir('/')"
    assert run(change).returncode == 0
    done = run("import json, os; print(hasattr(json, 'changed'), 'CHANGED' in os.environ)")
    assert done.stdout == "False False\n"


def test_a_text_is_run_as_by_a_new_interpreter(fork_server, tmp_path):
    arguments = ["-c", "import sys; print(sys.argv, sys.path[0], __name__)", "argument"]
    new = subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=True)
    assert fork_server("json").run(*arguments).stdout == new.stdout


def test_annotations_of_a_program_are_not_made_text(run):
    assert run("def f(a: int): pass\nprint(f.__annotations__['a'] is int)").stdout == "True\n"


def test_a_program_that_does_not_end_is_killed_and_others_run(run):
    with pytest.raises(subprocess.TimeoutExpired):
        run("import time; time.sleep(1000)", timeout=0.5)
    assert run("print(1)").stdout == "1\n"


def test_a_running_program_at_a_terminal_can_be_interrupted(fork_server, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import sys; print(sys.stdin.isatty()); input()")
    terminal, its_end = os.openpty()
    running = fork_server("json").start(str(program), streams=[its_end] * 3)
    os.close(its_end)
    shown = b""
    while b"True" not in shown:  # the line appears before the program ends, as at any terminal
        shown += os.read(terminal, 100)
    running.send_signal(signal.SIGINT)
    assert running.wait() == -signal.SIGINT
    os.close(terminal)


def test_autogen_core_is_ferrogen_when_it_is_installed(fork_server, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import autogen_core; print(autogen_core.__name__)")
    for installed, name in ((False, "autogen_core"), (True, "ferrogen")):
        forks = fork_server("json", installed=installed)
        assert forks.run(str(program)).stdout == f"{name}\n"


def test_modules_that_start_a_thread_are_refused(tmp_path, monkeypatch):
    module = (
        "import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()"
    )
    (tmp_path / "threads.py").write_text(module)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(RuntimeError, match="threads: 2 threads are running"):
        ForkServer("threads")


def test_flags_are_those_of_the_interpreter(fork_server, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import warnings; warnings.warn('old')")
    assert fork_server("json", flags=("-W", "error")).run(str(program)).returncode == 1


def test_objects_of_one_run_share_an_interpreter(tmp_path):
    program = tmp_path / "program.py"
    program.write_text("import os, json; print(json.marked)")
    (tmp_path / "marks.py").write_text("import json, os; json.marked = os.getpid()")
    run_id = str(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        first = ForkServer("marks", run_id=run_id)
        second = ForkServer("marks", run_id=run_id)
        third = ForkServer("marks", run_id=f"not {run_id}")
    interpreters = [server.run(str(program)).stdout for server in (first, second, third)]
    assert interpreters[0] == interpreters[1] != interpreters[2]
    first.leave()
    assert second.run(str(program)).stdout == interpreters[0]  # until its end, too
    fourth = ForkServer("json", run_id=run_id)
    for server in (second, third, fourth, first):
        server.close()


def test_an_executable_takes_the_arguments_of_python(fork_server, tmp_path):
    python = fork_server("json").executable(tmp_path)
    program = tmp_path / "program.py"
    program.write_text(
        "import os, sys\n"
        "print(sys.argv[1:], os.getcwd(), os.environ['NAME'], input())\n"
        "os.kill(os.getpid(), int(sys.argv[2])) if sys.argv[2:] else sys.exit(3)\n"
    )
    for more, status in (([], 3), (["15"], -signal.SIGTERM), (["9"], -signal.SIGKILL)):
        done = subprocess.run(
            [python, str(program), "a b", *more],
            cwd=tmp_path,
            env={"NAME": "value"},
            input="typed",
            capture_output=True,
            text=True,
            check=False,
        )
        assert (done.returncode, done.stderr) == (status, "")
        assert done.stdout == (f"{['a b', *more]} {tmp_path} value typed\n" if not more else "")


def test_a_program_ends_with_its_executable(fork_server, tmp_path):
    program = tmp_path / "program.py"
    program.write_text("print('started', flush=True)\nimport time\ntime.sleep(1000)")
    command = [str(fork_server("json").executable(tmp_path)), str(program)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout.readline() == "started\n"
        running.kill()
        assert running.stdout.read() == ""  # it ends with the last process that can write


def test_a_server_runs_as_long_as_another_object_uses_it(tmp_path):
    starter, other = (ForkServer("json", run_id=str(tmp_path)) for _ in range(2))
    python = other.executable(tmp_path)
    command = [python, "-c", "print('still here')"]
    starter.leave()
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == "still here\n"
    other.close()
    starter.close()
    assert starter.process.returncode == 0
