"""The compiled part of the statistics: what of `ferrogen._core` has times."""

from typing import TypeAlias, final

__all__ = ["TimeHistogram"]

@final
class TimeHistogram:
    """A snapshot of waiting or handling times, in seconds.

    An HDR histogram: percentiles have an error of at most 1/64 of their value, at any order of
    magnitude. Without times, all numbers are 0.

    Example:
        ```python
        from ferrogen import SingleThreadedAgentRuntime

        histogram = SingleThreadedAgentRuntime().stats().handling_time
        assert (histogram.count, histogram.p99) == (0, 0)
        ```
    """

    @property
    def count(self) -> int:
        """How many times were recorded."""

    @property
    def mean(self) -> float:
        """Their arithmetic mean."""

    @property
    def total(self) -> float:
        """Their sum."""

    @property
    def max(self) -> float:
        """The longest one."""

    @property
    def p50(self) -> float:
        """The median."""

    @property
    def p90(self) -> float:
        """The 90th percentile."""

    @property
    def p99(self) -> float:
        """The 99th percentile."""

    def percentile(self, percent: float) -> float:
        """Return a percentile.

        Args:
            percent: From 0 to 100.

        Raises:
            ValueError: It is not.
        """

Ends: TypeAlias = tuple[int, int, int, int, int]
"""Handled, failed, cancelled, expired, dropped."""

Row: TypeAlias = tuple[str, tuple[int, int], Ends, tuple[int, int], TimeHistogram, TimeHistogram]
"""The agent type; queued, running; ends; retried, restarted; the waiting and the handling times."""

EngineStats: TypeAlias = tuple[list[Row], tuple[int, Ends], tuple[TimeHistogram, TimeHistogram]]
"""The agent types; of published messages without a recipient: queued, ends; the times of all."""
