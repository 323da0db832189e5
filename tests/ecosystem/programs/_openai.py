"""The OpenAI client under test, AutoGen's or Ferrogen's, and a scripted server for it."""

import sys
from pathlib import Path

if "ferrogen" in sys.modules:
    from ferrogen.models.openai import OpenAIChatCompletionClient
else:
    from autogen_ext.models.openai import OpenAIChatCompletionClient

sys.path.append(str(Path(__file__).resolve().parents[2] / "models"))
from scripted_server import ScriptedServer, json_response, sse_response

__all__ = ["OpenAIChatCompletionClient", "ScriptedServer", "json_response", "sse_response"]
