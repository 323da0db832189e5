"""Starts the local language model as a child process, waits until it responds, and stops it."""

import select
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class LocalModelError(Exception):
    """The local model cannot be had; the text is one sentence for the person at the terminal."""


@dataclass
class LocalModel:
    process: "subprocess.Popen[bytes]"
    log: Path
    address: str = ""

    def raise_if_dead(self, moment: str) -> None:
        if (status := self.process.poll()) is not None:
            raise LocalModelError(
                f"the local model died {moment} (exit status {status}); its log is {self.log}"
            )


@contextmanager
def local_model(port: int, patience: float) -> Iterator[LocalModel]:
    """Runs the model for the length of the `with` block, however that is left.

    Args:
        port: where it listens on the loopback interface; 0 for any free port.
        patience: how many seconds it may take until it is healthy.

    Raises:
        LocalModelError: the port is in use, or the model died, or never became healthy.
    """
    refuse_port_in_use(port)
    folder = Path(tempfile.mkdtemp(prefix="ferrogen-demo-"))
    log = folder / "model.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("serve.py")), str(port)],
            stdin=subprocess.PIPE,  # never written to: the child exits when it is closed
            stdout=subprocess.PIPE,
            stderr=output,
        )
    model = LocalModel(process, log)
    keep_log = False
    try:
        wait_until_healthy(model, patience)
        yield model
    except LocalModelError:
        keep_log = True
        raise
    finally:
        process.kill()  # it holds nothing that would want a gentler end
        process.communicate()
        if not keep_log:
            shutil.rmtree(folder, ignore_errors=True)


def refuse_port_in_use(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise LocalModelError(
                f"port {port} cannot be used ({(error.strerror or str(error)).lower()}); "
                "name another, or none to have a free one chosen"
            ) from error


def wait_until_healthy(model: LocalModel, patience: float) -> None:
    deadline = time.monotonic() + patience
    output = model.process.stdout
    assert output is not None
    readable, _, _ = select.select([output], [], [], patience)
    if readable:
        model.address = output.readline().decode().strip()  # nothing comes if it died
    while model.address and time.monotonic() < deadline:
        if is_healthy(model.address):
            return
        model.raise_if_dead("while it started")
        time.sleep(0.05)
    if readable and not model.address:
        model.process.wait(timeout=10)
        model.raise_if_dead("while it started")
    raise LocalModelError(
        f"the local model was not ready after {patience:g} seconds; its log is {model.log}"
    )


def is_healthy(address: str) -> bool:
    # A proxy that the environment names has no business with the loopback interface.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{address}/health", timeout=1) as response:
            return bool(response.status == 200)
    except OSError:
        return False
