"""Identity of the weights of a model."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

_READ = 1 << 20


def fingerprint(weights: Path) -> str:
    """Return a short text that differs between files of weights.

    The size, the beginning and the end of the file are read, so that it takes no time.

    Args:
        weights: The file.
    """
    size = weights.stat().st_size
    digest = blake2b(str(size).encode(), digest_size=6)
    with weights.open("rb") as file:
        digest.update(file.read(_READ))
        file.seek(max(0, size - _READ))
        digest.update(file.read(_READ))
    return digest.hexdigest()
