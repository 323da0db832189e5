"""What can be done with components as data: files, JSON Schema, dry runs, and secrets."""

from ._components.checking import check_component
from ._components.faults import Fault
from ._components.files import read_component, write_component
from ._components.json_schema import component_json_schema
from ._components.secrets import EnvironmentSecret

__all__ = [
    "EnvironmentSecret",
    "Fault",
    "check_component",
    "component_json_schema",
    "read_component",
    "write_component",
]
