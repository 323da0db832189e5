"""Ways out of the sandbox that lead neither through files that are opened nor through signals."""

from __future__ import annotations

import os
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from . import users
from .test_attacks import CALL, contained


def own_of(sandbox: Any, path: Path) -> Path:
    """Give a file to the user of the sandbox: then only the isolation protects it."""
    if os.geteuid() == 0 and sandbox.user != "root":
        os.chown(path, users.ORDINARY, users.ORDINARY)
    path.chmod(0o666)
    return path


def test_datagrams_do_not_reach_sockets_of_the_host(sandbox: Any):
    path = Path(sandbox.folder, "log.sock")
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as log:
        log.bind(str(path))
        log.setblocking(False)
        own_of(sandbox, path)
        code = f"""
import socket
for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
    try:
        one, _ = socket.socketpair(socket.AF_UNIX, kind)
        one.sendto(b"from the sandbox", {str(path)!r})
        print("sent")
    except OSError:
        pass
for kind in (socket.SOCK_STREAM, socket.SOCK_SEQPACKET):
    one, other = socket.socketpair(socket.AF_UNIX, kind)
    try:
        one.sendto(b"from the sandbox", {str(path)!r})
    except OSError:
        pass
    one.send(b"x")
    print(other.recv(1)[:1] in (b"x", b"f"))
"""
        result = sandbox.run(code)
        contained(result)
        assert result["output"] == "True\nTrue\n"
        with pytest.raises(BlockingIOError):
            log.recv(100)
    path.unlink()


def test_attributes_of_files_of_the_host_cannot_be_changed(sandbox: Any):
    path = Path(sandbox.folder, "own.txt")
    path.write_text("own")
    before = own_of(sandbox, path).stat()
    code = (
        CALL
        + f"""
import os
path = {str(path)!r}.encode()
value = ctypes.create_string_buffer(b"1")
structure = (ctypes.c_uint64 * 2)(ctypes.addressof(value), 1)
call("setxattrat", 463, 463, -100, path, 0, b"user.a", structure, 16)
call("removexattrat", 466, 466, -100, path, 0, b"user.a")
call("mq_unlink", 241, 181, b"queue")
watch = libc.inotify_init()
print("inotify", "done" if libc.inotify_add_watch(watch, os.path.dirname(path), 2) > 0 else "no")
for change in (
    lambda: os.chmod(path, 0o777), lambda: os.utime(path, (0, 0)),
    lambda: os.setxattr(path, b"user.a", b"1"), lambda: os.truncate(path, 0),
    lambda: os.rename(path, path + b"2"), lambda: os.link(path, "link"), lambda: os.unlink(path),
    lambda: os.symlink("x", path + b"2"), lambda: os.fchmod(os.open(path, os.O_PATH), 0o777),
):
    try:
        change()
        print("changed")
    except OSError:
        pass
"""
    )
    result = sandbox.run(code)
    contained(result)
    assert "done" not in result["output"]
    assert "changed" not in result["output"]
    assert result["exit_code"] == 0
    after = path.stat()
    assert (after.st_mode, after.st_mtime, after.st_nlink) == (
        before.st_mode,
        before.st_mtime,
        before.st_nlink,
    )
    assert os.listxattr(path) == []
    path.unlink()


def test_what_a_run_leaves_is_not_imported_by_the_host(sandbox: Any):
    # The program that runs the code imports modules while it collects the results of both runs.
    code = """
for name in ("sitecustomize", "usercustomize", "json", "mimetypes", "asyncio", "ferrogen"):
    with open(f"{name}.py", "w") as file:
        file.write("import os; os.write(1, b'loaded ' + __name__.encode())")
import os
os.makedirs(".local/lib/python3.11/site-packages", exist_ok=True)
with open("evil.pth", "w") as file:
    file.write("import os; os.write(1, b'loaded')")
"""
    result = sandbox.run("", blocks=[(code, "python"), ("true", "sh")], artifacts=["*.py"])
    contained(result)
    assert (result["exit_code"], result["output"]) == (0, "")
    assert set(result["artifacts"]) >= {"json.py", "ferrogen.py"}
    again = sandbox.run("print('the next executor')")
    assert again["output"] == "the next executor\n"
