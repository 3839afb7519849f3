"""Opening the engine that an annotator names."""

from __future__ import annotations

from pathlib import Path

from .. import models
from ..configuration import Annotator, Performance
from .protocol import Engine


def open_engine(annotator: Annotator, folder: Path | str, performance: Performance) -> Engine:
    """Load the model of a prepared folder into the annotator's engine.

    Raises:
        InputError: the folder was not prepared (seen before anything heavy is loaded), or holds no annotator.
    """
    models.identity(folder)
    from .transformers_engine import TransformersEngine

    return TransformersEngine(folder, annotator, performance)
