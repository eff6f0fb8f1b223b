"""Lets code keep its import lines: ``src.infra.resilience`` and its like find this package.

Only what does not exist otherwise is provided. A package ``src`` of your own, a package ``src.infra`` in it,
and modules of these names there are used as they are.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

MODULES = {
    "src.infra.resilience": "fuseboard.resilience",
    "src.infra.health": "fuseboard.health",
    "src.infra.backup": "fuseboard.backup",
    "src.infra.monitoring": "fuseboard.monitoring",
}
PACKAGES = ("src", "src.infra")


class _Folders:
    """Where a package's modules may lie on ``sys.path``, asked anew each time: it may appear later."""

    def __init__(self, package: str) -> None:
        self._parts = package.split(".")

    def __iter__(self) -> Iterator[str]:
        for place in sys.path:
            folder = Path(place or ".").joinpath(*self._parts)
            if folder.is_dir():
                yield str(folder)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __getitem__(self, index: int) -> str:
        return [*iter(self)][index]


class _Finder(MetaPathFinder):
    """The last one that is asked."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if name in PACKAGES:
            spec = ModuleSpec(name, _Loader(), is_package=True)
            spec.submodule_search_locations = _Folders(name)  # type: ignore[assignment]
            return spec
        return ModuleSpec(name, _Loader()) if name in MODULES else None


class _Loader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        real = MODULES.get(module.__name__)
        if real is None:
            return
        provided = importlib.import_module(real)
        module.__doc__ = provided.__doc__
        module.__dict__["__all__"] = list(provided.__all__)
        module.__dict__.update({name: getattr(provided, name) for name in provided.__all__})


_finder = _Finder()


def install() -> None:
    """Make ``src.infra.resilience``, ``.health``, ``.backup``, ``.monitoring`` importable."""
    if _finder not in sys.meta_path:
        sys.meta_path.append(_finder)
        importlib.invalidate_caches()


def uninstall() -> None:
    """Take it back, with what was imported through it."""
    if _finder in sys.meta_path:
        sys.meta_path.remove(_finder)
    for name in (*MODULES, *reversed(PACKAGES)):
        module = sys.modules.get(name)
        if module is not None and isinstance(getattr(module.__spec__, "loader", None), _Loader):
            del sys.modules[name]
            parent, _, child = name.rpartition(".")
            if parent in sys.modules and getattr(sys.modules[parent], child, None) is module:
                delattr(sys.modules[parent], child)
