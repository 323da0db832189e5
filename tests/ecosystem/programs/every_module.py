"""Every module of AgentChat, autogen-ext and AutoGen Studio finds in autogen_core what it imports.

Those whose other dependencies are here are imported; of all the others, the source is read.
"""

import ast
import importlib.util
import pkgutil
import warnings
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import autogen_agentchat
import autogen_ext
import autogenstudio

PACKAGES = (autogen_agentchat, autogen_ext, autogenstudio)


def import_modules(package: ModuleType) -> None:
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.", lambda _: None):
        if module.name.endswith("__main__"):
            continue
        try:
            importlib.import_module(module.name)
        except ImportError as error:
            print(module.name, "needs", error)
        else:
            print(module.name)


def imported_names(package: ModuleType) -> Iterator[tuple[str, str]]:
    """What is imported from autogen_core, as module and name."""
    for file in Path(package.__path__[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                if str(node.module).partition(".")[0] == "autogen_core":
                    yield from ((str(node.module), alias.name) for alias in node.names)
            elif isinstance(node, ast.Import):
                named = [alias.name for alias in node.names]
                yield from ((name, "__doc__") for name in named if name.startswith("autogen_core"))


def is_there(module: str, name: str) -> bool:
    if hasattr(importlib.import_module(module), name):
        return True
    return importlib.util.find_spec(f"{module}.{name}") is not None


warnings.simplefilter("ignore")
for each in PACKAGES:
    import_modules(each)
for each in PACKAGES:
    wanted = sorted(set(imported_names(each)))
    print(each.__name__, len(wanted), [names for names in wanted if not is_there(*names)])
