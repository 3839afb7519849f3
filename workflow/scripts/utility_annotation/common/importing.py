"""Fast imports of large packages."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


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
