"""What the tests of components share: their own components may be loaded."""

import pytest

from . import machines


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the components of `machines` be loaded."""
    monkeypatch.setenv("AUTOGEN_ALLOWED_PROVIDER_NAMESPACES", machines.__name__)
