"""The compiled part of the serializers; the stub beside this file documents it."""

from __future__ import annotations

from ferrogen._core import DataclassCodec, JsonWriter, SerializerTable

__all__ = ["DataclassCodec", "JsonWriter", "SerializerTable"]
