"""Opening the engine that an annotator names."""

from __future__ import annotations

from pathlib import Path

from ..io import models
from ..settings import Annotator, Performance
from .protocol import Engine


def open_engine(annotator: Annotator, folder: Path | str | None, performance: Performance) -> Engine:
    """Load the model of a prepared folder into the annotator's engine, or connect to its server.

    Args:
        annotator: names the engine.
        folder: the prepared model folder; None for an annotator without `model`.
        performance: how the engine uses its machine.

    Raises:
        InputError: the folder was not prepared (checked before anything heavy is loaded), its model cannot annotate, or
            the engine does not work here.
    """
    if folder is not None:
        models.fingerprint(folder)
    if annotator.engine == "openai":
        from .openai_engine import OpenAIEngine

        return OpenAIEngine(folder, annotator, performance)
    assert folder is not None, "the configuration requires a model for the other engines"
    if annotator.engine == "vllm":
        from .vllm_engine import VllmEngine

        return VllmEngine(folder, annotator, performance)
    from .transformers_engine import TransformersEngine

    return TransformersEngine(folder, annotator, performance)
