"""Fast imports of large packages."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType


@contextmanager
def large_packages() -> Iterator[None]:
    """Disable garbage collection during heavy imports, and exempt the imported objects from it for good.

    Imported objects live until the process ends. Collecting among them takes a quarter of the start with torch and
    transformers.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()


def part_of(package: str, name: str) -> ModuleType:
    """The module ``name`` of a package, which must need nothing else of it; what the package itself imports stays out.

    A later import of the package gives the whole of it.
    """
    spec = importlib.util.find_spec(package)
    if package in sys.modules or spec is None:
        return importlib.import_module(f"{package}.{name}")
    sys.modules[package] = importlib.util.module_from_spec(spec)
    try:
        return importlib.import_module(f"{package}.{name}")
    finally:
        del sys.modules[package]
