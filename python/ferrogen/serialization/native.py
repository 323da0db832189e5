"""The compiled part of the serializers; the stub beside this file documents it."""

from __future__ import annotations

from ferrogen._core import DataclassCodec, EnvelopeCodec, JsonWriter, ModelCodec, SerializerTable

__all__ = ["DataclassCodec", "EnvelopeCodec", "JsonWriter", "ModelCodec", "SerializerTable"]
