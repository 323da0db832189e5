"""Components as data: files, JSON Schema, dry runs, and secrets."""

from .checking import check_component
from .faults import Fault
from .files import read_component, write_component
from .json_schema import component_json_schema
from .secrets import EnvironmentSecret

__all__ = [
    "EnvironmentSecret",
    "Fault",
    "check_component",
    "component_json_schema",
    "read_component",
    "write_component",
]
