"""Importing packages that make hundreds of thousands of objects, without searching these for garbage."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def large_packages() -> Iterator[None]:
    """Around imports: Python searches for no garbage meanwhile, nor later among what is there at the end of them.

    What is imported stays until the process ends. Searching it again and again while there is ever more of it, and
    once more on leaving, takes a quarter of a start with torch and transformers.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if enabled:
            gc.enable()
