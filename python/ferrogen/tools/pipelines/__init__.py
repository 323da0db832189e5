"""Pipelines of tools."""

from .pipeline import Pipeline
from .steps import Condition, First, Input, Output, PipelineError, PipelineStepError, Step

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
