"""Pipelines of tools."""

from .errors import PipelineError, PipelineStepError
from .pipeline import Pipeline
from .steps import Condition, First, Input, Output, Step

__all__ = [
    "Condition",
    "First",
    "Input",
    "Output",
    "Pipeline",
    "PipelineError",
    "PipelineStepError",
    "Step",
]
