"""Takes the arguments of `python`, and runs the program in a fork of a fork server.

python -I -S forked_python.py NAME-OF-THE-SERVER PROGRAM ARGUMENTS...
"""

import json
import os
import signal
import socket
import sys

SIZE = 1 << 20


def main(name: str, *arguments: str) -> int:
    """Run the program with the streams, folder and environment of this process."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as connection:
        connection.connect(f"\0{name}")
        if not connection.recv(SIZE):
            sys.exit("the fork server has ended")
        order = {"arguments": arguments, "cwd": os.getcwd(), "env": dict(os.environ)}  # noqa: PTH109
        socket.send_fds(connection, [json.dumps(order).encode()], [0, 1, 2])
        connection.recv(SIZE)
        status = json.loads(connection.recv(SIZE))
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    return status


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
