"""Parts for the tests of programs: simulated time, and a model without a model."""

from ferrogen.testing.scripted_model import Line, ScriptedModel, ScriptedModelConfig
from ferrogen.testing.virtual_clock import VirtualClock, run
from ferrogen.testing.virtual_time_loop import VirtualTimeLoop

__all__ = ["Line", "ScriptedModel", "ScriptedModelConfig", "VirtualClock", "VirtualTimeLoop", "run"]
