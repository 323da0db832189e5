"""Parts for the tests of programs: a model without a model."""

from ferrogen.testing.scripted_model import Line, ScriptedModel, ScriptedModelConfig

__all__ = ["Line", "ScriptedModel", "ScriptedModelConfig"]
