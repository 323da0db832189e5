"""The compiled part of the statistics: what of `ferrogen._core` has times."""

from typing import final

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
