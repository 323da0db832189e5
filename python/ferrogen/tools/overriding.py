"""Overrides of names and descriptions of tools in a workbench."""

from collections.abc import Collection, Mapping

from ferrogen.exceptions import ToolNameError
from ferrogen.tools.schema import ToolOverride, ToolSchema


def names_behind(
    overrides: Mapping[str, ToolOverride], tool_names: Collection[str]
) -> dict[str, str]:
    """Find the tool behind each name that an override gives.

    Args:
        overrides: Under the tools' own names.
        tool_names: The names that are taken.

    Raises:
        ToolNameError: A name would stand for two tools.
    """
    behind: dict[str, str] = {}
    for own_name, override in overrides.items():
        name = override.name
        if not name or name == own_name:
            continue
        if name in tool_names:
            raise ToolNameError(
                f"Tool override name '{name}' conflicts with existing tool name."
                " Override names must not conflict with any tool names."
            )
        if name in behind:
            raise ToolNameError(
                f"Tool override name '{name}' is used by multiple tools: '{behind[name]}' and"
                f" '{own_name}'. Override names must be unique."
            )
        behind[name] = own_name
    return behind


def overridden(schema: ToolSchema, override: ToolOverride | None) -> ToolSchema:
    """Describe a tool by another name and description, as far as the override gives them."""
    if override is None:
        return schema
    changed = schema.copy()
    if override.name is not None:
        changed["name"] = override.name
    own_description = schema.get("description", "")
    changed["description"] = (
        own_description if override.description is None else override.description
    )
    return changed
