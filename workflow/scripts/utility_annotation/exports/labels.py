"""Export labels: a folder with the files of one format and a card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..common.errors import InputError
from ..common.files import atomic_write, read_json, write_text
from ..common.progress import LOG
from ..labels.sources import is_soft
from ..settings import entry
from .card import Counts, ExportSettings, card
from .examples import examples
from .forms import FORMS


def export_labels(
    settings: ExportSettings, form: str, labels: Path, pools: Sequence[Path], quality: Path, output: Path
) -> None:
    """Write a label set in a published format.

    Args:
        settings: the labels and their origin.
        form: a name from :data:`~.forms.FORMS`.
        labels: the labels (schema ``LABELS``).
        pools: the shards of their pool.
        quality: their figures (JSON).
        output: the folder, written whole or not at all.

    Raises:
        InputError: an unknown format; labels that are likelihoods; labels without any positive; labels of another
            pool; an id that the format cannot hold.
    """
    if is_soft(settings.labels.source):
        raise InputError(
            f"labels {settings.name} are likelihoods and have no positives.",
            hint="export labels of another source.",
        )
    known = entry(FORMS, form, "format of labels")
    figures: Any = read_json(quality)
    with atomic_write(output) as folder:
        folder.mkdir()
        with examples(labels, pools, folder / ".joined.arrow") as labelled:
            counts = Counts.of(labelled)
            if not counts.positives:
                raise InputError("no query has a positive.", hint="check the labels' quality.", path=labels)
            known.writer(labelled, folder)
        write_text(folder / "README.md", card(settings, known, counts, figures))
    LOG.info(f"{output}: {counts.queries} queries, {counts.positives} positives, {counts.negatives} negatives")
