"""The import hook: makes ``autogen_core`` another name for ``ferrogen``.

It is a package of its own so that a child process can register it at interpreter start without
importing ``ferrogen``: that happens when the program first imports ``autogen_core``, or never.
What stands behind the aliases (private paths, words of the errors) lives in ``ferrogen.compat``.
"""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import ModuleSpec, PathFinder

# Read by type checkers; the typing module would cost each interpreter start ten milliseconds.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from importlib.abc import Loader
    from importlib.metadata import Distribution, DistributionFinder
    from types import ModuleType
else:
    Loader = object

ALIAS = "autogen_core"
REAL = "ferrogen"
VARIABLE = "FERROGEN_INSTALL"
STARTUP_FILE = "ferrogen_hook.pth"


class AliasLoader(Loader):
    """Loads an alias by returning the real module itself."""

    def __init__(self, real_name: str) -> None:
        self.real_name = real_name
        self._real_spec: ModuleSpec | None = None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Import the real module, and remember the spec it was loaded by."""
        module = import_module(self.real_name)
        self._real_spec = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Put the real spec back: the import machinery has just replaced it by the alias's."""
        module.__spec__ = self._real_spec


class RootLoader(AliasLoader):
    """Loads ``autogen_core`` itself, and with it what the finders need for all below it."""

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Import ferrogen, and equip the finders.

        It is done here, and not in exec_module, because other threads look for submodules as
        soon as ``autogen_core`` is among the imported modules.
        """
        module = super().create_module(spec)
        private_modules = import_module(f"{REAL}.compat.private_modules")
        _finder.private_spec = private_modules.private_spec
        _backstop.refuse = import_module(f"{REAL}.compat.missing").refuse
        return module


class AliasFinder:
    """Finds ``autogen_core``, before any finder that could reach the real one.

    Finders are called with the global import lock held, so neither this one nor the other can
    import anything: a thread that imports the same thing would wait for the lock forever.
    """

    private_spec: Callable[[str], ModuleSpec | None] | None = None

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find the module of ferrogen, or the private path of upstream, that has this name."""
        if name == ALIAS:
            return _alias(name, RootLoader(REAL), None)
        if not name.startswith(f"{ALIAS}."):
            return None
        inner = name[len(ALIAS) + 1 :]
        spec = _alias(name, AliasLoader(f"{REAL}.{inner}"), path)
        if spec is None and self.private_spec is not None:
            return self.private_spec(inner)
        return spec

    def find_distributions(
        self, context: DistributionFinder.Context | None = None
    ) -> Iterable[Distribution]:
        """Let ``importlib.metadata`` find a distribution called autogen-core."""
        # ferrogen must not be imported here, either: opentelemetry, which ferrogen imports, asks
        # for all distributions in the middle of its own import.
        from _ferrogen_hook.distribution import distribution, matches

        return [distribution()] if matches(context) else []


class Backstop:
    """The last finder: raises an error for what upstream has and no finder before has found.

    It is also called for names: ``from autogen_core import Image`` tries the module
    ``ferrogen.Image`` when there is no such attribute, and the error raised here is shown to the
    user. For ``importlib.util.find_spec``, which only looks a module up, it returns None.
    """

    refuse: Callable[[str], None] | None = None

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> None:
        """Raise NotProvidedError for a module or name that only upstream has."""
        root, _, inner = name.partition(".")
        if inner and root in (ALIAS, REAL) and self.refuse is not None and _is_imported():
            self.refuse(inner)


def _is_imported() -> bool:
    """Return whether a finder is called by an import statement, not by a mere look-up."""
    # The frames: this one, the finder's, that of importlib which goes through the finders, and the
    # one that calls that. Finders have no such argument, and find_spec has to return None.
    return sys._getframe(3).f_code.co_name == "_find_and_load_unlocked"


def _alias(name: str, loader: AliasLoader, path: Sequence[str] | None) -> ModuleSpec | None:
    """Describe an alias, without importing what it stands for."""
    loaded = sys.modules.get(loader.real_name)
    real = loaded.__spec__ if loaded else PathFinder.find_spec(loader.real_name, path)
    if real is None:
        return None
    spec = ModuleSpec(name, loader, origin=real.origin)
    spec.submodule_search_locations = real.submodule_search_locations
    return spec


_finder = AliasFinder()
_backstop = Backstop()


def register() -> None:
    """Put the hook in place; it stays where it is when it already is."""
    if _finder not in sys.meta_path:
        sys.meta_path.insert(0, _finder)
        sys.meta_path.append(_backstop)
