"""Errors of pipelines.

The tree::

    FerrogenError
    ├── PipelineError        (ValueError)    the steps of a pipeline do not fit each other
    └── PipelineStepError    (RuntimeError)  a step failed
"""

from ferrogen.exceptions import FerrogenError


class PipelineError(FerrogenError, ValueError):
    """The steps of a pipeline do not fit each other: a cycle, a wrong type, an unknown name."""

    __module__ = "ferrogen.tools"


class PipelineStepError(FerrogenError, RuntimeError):
    """A step of a pipeline failed; the cause is the ``__cause__``.

    Args:
        message: The text for the model.
        step: The name of the step.
    """

    __module__ = "ferrogen.tools"

    def __init__(self, message: str, *, step: str = "") -> None:
        super().__init__(message)
        self.step = step
