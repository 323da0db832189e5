"""Former path of `ferrogen.testing.ScriptedModel`."""

from ferrogen.testing.scripted_model import Line
from ferrogen.testing.scripted_model import ScriptedModel as ScriptedClient
from ferrogen.testing.scripted_model import ScriptedModelConfig as ScriptedClientConfig

__all__ = ["Line", "ScriptedClient", "ScriptedClientConfig"]
