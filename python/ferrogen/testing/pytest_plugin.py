"""A pytest plugin with the fixture `virtual_clock`.

A test suite that wants it has `pytest_plugins = ["ferrogen.testing.pytest_plugin"]` in the
`conftest.py` at its root.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from ferrogen.testing.virtual_clock import VirtualClock

__all__ = ["virtual_clock"]


@pytest.fixture
def virtual_clock() -> Iterator[VirtualClock]:
    """A `VirtualClock`, whose event loop is closed at the end of the test.

    Example:
        ```python
        import asyncio

        from ferrogen.testing import VirtualClock


        def test_a_day_passes(virtual_clock: VirtualClock) -> None:
            virtual_clock.run(asyncio.sleep(86_400))
            assert virtual_clock.time() == 86_400
        ```
    """
    with VirtualClock() as clock:
        yield clock
