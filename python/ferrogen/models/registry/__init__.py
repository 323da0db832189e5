"""The registry of known models: family, abilities, context length, prices."""

from ferrogen.models.registry.entry import ModelEntry, Price
from ferrogen.models.registry.lookup import (
    UnknownModelWarning,
    known_model,
    known_models,
    model_info,
    register_models,
)

__all__ = [
    "ModelEntry",
    "Price",
    "UnknownModelWarning",
    "known_model",
    "known_models",
    "model_info",
    "register_models",
]
