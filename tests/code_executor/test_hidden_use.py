"""Memory, files and processes that hostile code hides from what measures them."""

from __future__ import annotations

from typing import Any

import pytest

from .test_attacks import CALL, contained

FIRST_THREAD_ENDS = """
import ctypes, threading, time
def start(work):
    threading.Thread(target=work).start()
    ctypes.CDLL(None).syscall(93 if __import__("platform").machine() == "aarch64" else 60, 0)
"""
MAP = """
import ctypes, os
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
def map_file(file, size):
    libc.mmap(None, ctypes.c_size_t(size), 3, 1, file, ctypes.c_long(0))
def nameless_file(size):
    file = os.open("gone", os.O_CREAT | os.O_RDWR)
    os.unlink("gone")
    os.write(file, bytes(size))
    return file
"""


@pytest.mark.parametrize(
    "code",
    [
        FIRST_THREAD_ENDS
        + """
import mmap
def work():
    kept = []
    while True:
        kept.append(mmap.mmap(-1, 1 << 20))
        kept[-1].write(bytes(1 << 20))
start(work)
""",
        """
import mmap, time
memory = mmap.mmap(-1, 1 << 30)
for at in range(0, 1 << 30, 1 << 23):
    memory[at:at + (1 << 23)] = bytes(1 << 23)
    memory.madvise(mmap.MADV_DONTNEED)
time.sleep(60)
""",
        """
import mmap, os, time
if os.fork() != 0:
    time.sleep(60)
    os._exit(0)
kept = []
while True:
    if os.fork() != 0:
        os._exit(0)
    if len(kept) < 300:
        kept.append(mmap.mmap(-1, 1 << 20))
        kept[-1].write(bytes(1 << 20))
""",
    ],
    ids=["first thread has ended", "not in any process", "moving from process to process"],
)
def test_hidden_memory_is_limited(sandbox: Any, code: str):
    result = sandbox.run(code, memory="64MiB")
    contained(result)
    assert (result["exit_code"], result["limit"]) == (137, "memory")


@pytest.mark.parametrize(
    "code",
    [
        FIRST_THREAD_ENDS
        + MAP
        + """
def work():
    kept = [nameless_file(1 << 20) for _ in range(200)]
    time.sleep(60)
start(work)
""",
        MAP
        + """
import time
for _ in range(200):
    file = nameless_file(1 << 20)
    map_file(file, 4096)
    os.close(file)
time.sleep(60)
""",
        MAP
        + """
import time
for _ in range(200):
    os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600)
    os.write(file := os.open(".", os.O_TMPFILE | os.O_RDWR, 0o600), bytes(1 << 20))
time.sleep(60)
""",
    ],
    ids=["first thread has ended", "mapped", "never had a name"],
)
def test_hidden_files_are_limited(sandbox: Any, code: str):
    result = sandbox.run(code, disk="16MiB", open_files=512)
    contained(result)
    assert (result["exit_code"], result["limit"]) == (137, "disk")


def test_memory_of_sockets_is_limited(sandbox: Any):
    code = """
import socket, time
kept = []
try:
    while True:
        pair = socket.socketpair()
        kept += pair
        pair[0].setblocking(False)
        try:
            while True:
                pair[0].send(bytes(1 << 16))
        except BlockingIOError:
            pass
except OSError:
    time.sleep(60)
"""
    result = sandbox.run(code, memory="32MiB", open_files=512)
    contained(result)
    assert (result["exit_code"], result["limit"]) == (137, "memory")


def test_memory_of_connections_that_wait_is_limited(sandbox: Any):
    code = """
import socket, time
server = socket.socket(socket.AF_UNIX)
server.bind("s")
server.listen(4096)
for _ in range(1000):
    client = socket.socket(socket.AF_UNIX)
    client.setblocking(False)
    client.connect("s")
    try:
        while True:
            client.send(bytes(1 << 16))
    except BlockingIOError:
        client.close()
time.sleep(60)
"""
    result = sandbox.run(code, memory="64MiB")
    contained(result)
    if sandbox.isolation == "landlock":
        assert "Operation not permitted" in result["stderr"]
    else:
        assert (result["exit_code"], result["limit"]) == (137, "memory")


def test_programs_that_start_programs_have_their_memory_once(sandbox: Any):
    code = """
import subprocess
kept = bytearray(40 << 20)
for _ in range(60):
    subprocess.run(["/bin/sh", "-c", ":"], check=True)
print("done")
"""
    result = sandbox.run(code, memory="64MiB")
    contained(result)
    assert result["output"] == "done\n"


def test_threads_and_programs_work_although_their_files_cannot_be_separated(sandbox: Any):
    code = (
        CALL
        + """
import subprocess, threading
call("clone", 56, 220, 0x10900, 0, 0, 0, 0)
call("close_range", 436, 436, 100, 200, 2)
thread = threading.Thread(target=print, args=("thread",))
thread.start()
thread.join()
print(subprocess.run(["/bin/echo", "program"], capture_output=True, text=True).stdout, end="")
"""
    )
    result = sandbox.run(code)
    contained(result)
    assert result["stdout"] == "clone EPERM\nclose_range EPERM\nthread\nprogram\n"


def test_the_process_without_limits_cannot_be_changed(sandbox: Any):
    code = """
import os
for pid in (1, os.getppid()):
    for name in ("mem", "environ", "fd", "task"):
        path = f"/proc/{pid}/{name}"
        try:
            os.close(os.open(path, os.O_RDONLY if name in ("fd", "task") else os.O_RDWR))
            print("opened", path)
        except OSError:
            pass
"""
    result = sandbox.run(code)
    contained(result)
    assert (result["exit_code"], result["output"]) == (0, "")


def test_orphans_that_have_ended_do_not_count_as_processes(sandbox: Any):
    code = """
import os
for _ in range(200):
    if os.fork() == 0:
        if os.fork() == 0:
            os._exit(0)
        os._exit(0)
    os.wait()
    while len(os.listdir("/proc/self/task")) > 1:
        pass
print("done")
"""
    is_shared = sandbox.isolation == "landlock" and sandbox.user == "ordinary"
    result = sandbox.run(code, processes=60 if is_shared else 30)
    contained(result)
    assert result["output"] == "done\n"


def test_a_closed_work_folder_is_opened(sandbox: Any):
    code = """
import os
open("result.txt", "w").write("1")
os.fchmod(os.open(".", os.O_RDONLY), 0)
"""
    blocks = [(code, "python"), ("cat result.txt", "sh")]
    result = sandbox.run("", blocks=blocks, artifacts=["*.txt"])
    contained(result)
    assert (result["exit_code"], result["output"]) == (0, "1")
    assert set(result["artifacts"]) == {"result.txt"}


def test_temporary_files_of_other_runs_are_not_there(sandbox: Any):
    code = """
import os, tempfile
folder = tempfile.gettempdir()
open(os.path.join(folder, "left"), "w").close()
try:
    print(sorted(os.listdir(os.path.join(folder, ".."))) if folder != "/tmp" else [])
except OSError:
    print([])
"""
    result = sandbox.run("", blocks=[(code, "python"), ('ls -A "$TMPDIR"', "sh")])
    contained(result)
    assert result["output"] == "[]\n"
