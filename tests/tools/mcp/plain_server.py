"""A server that needs nothing but Python, and so starts fast: for what happens to processes."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

DAEMON = """
import os, signal, time
if os.fork(): os._exit(0)
os.setsid()
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print(os.getpid(), flush=True)
time.sleep(600)
"""


def start_daemons():
    """Start programs that outlive their parents and leave the process group."""
    ids = []
    for _ in range(2):
        program = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", DAEMON], stdout=subprocess.PIPE, text=True
        )
        ids.append(program.stdout.readline().strip())
        program.wait()
    return " ".join(ids)


def crash():
    """End without a response."""
    os.kill(os.getpid(), signal.SIGKILL)


def process():
    """Return the id of this process."""
    return str(os.getpid())


TOOLS = {each.__name__: each for each in (start_daemons, crash, process)}
hanging: dict[int, str] = {}


def respond(number, result):
    print(json.dumps({"jsonrpc": "2.0", "id": number, "result": result}), flush=True)


def call(number, name, arguments):
    if name == "hang":
        hanging[number] = arguments["report"]
        Path(f"{arguments['report']}.started").touch()
        return
    text = TOOLS[name]()
    respond(number, {"content": [{"type": "text", "text": text}], "isError": False})


def handle(message):
    method, number, params = message["method"], message.get("id"), message.get("params") or {}
    if method == "initialize":
        respond(
            number,
            {
                "protocolVersion": params["protocolVersion"],
                "capabilities": {"tools": {}},
                "serverInfo": {"name": "plain", "version": "1"},
            },
        )
    elif method == "tools/call":
        call(number, params["name"], params.get("arguments") or {})
    elif method == "tools/list":
        schema = {"type": "object", "properties": {}}
        respond(number, {"tools": [{"name": name, "inputSchema": schema} for name in TOOLS]})
    elif method == "notifications/cancelled":
        Path(hanging.pop(params["requestId"])).touch()
    elif number is not None:
        respond(number, {})


if __name__ == "__main__":
    if sys.argv[1:2] == ["wait"]:
        signal.pause()  # it never responds
    if sys.argv[1:2] == ["fail"]:
        with Path(sys.argv[2]).open("a") as file:
            file.write("started\n")
        sys.exit(3)
    for line in sys.stdin:
        handle(json.loads(line))
