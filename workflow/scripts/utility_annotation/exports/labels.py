"""Export labels: a folder with the files of one format and a card."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from ..common.errors import InputError
from ..common.files import atomic_write, read_json, write_text
from ..common.progress import LOG
from ..training.data import join
from .card import ExportSettings, card
from .examples import Examples
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
        InputError: no query that the format can hold; labels of another pool.
    """
    figures = read_json(quality, "human_positives", "human_ignored", "ignored", "selection", "agreement", "annotation")
    with atomic_write(output) as folder:
        folder.mkdir()
        joined = folder / ".joined.arrow"
        join(labels, pools, joined, titles=settings.pool.titles)
        counts: Counter[str] = Counter()
        ignored = 0
        trains = FORMS[form].trains
        for example in Examples(joined):
            if reason := example.left_out(trains):
                counts[f"left out, {reason}"] += 1
            else:
                if example.lacks:
                    counts[f"without {example.lacks}"] += 1
                counts["questions"] += 1
                counts["positives"] += len(example.positives)
                counts["negatives"] += len(example.negatives)
            ignored += len(example.ignored)
        if not counts["positives"]:
            problem = "no query has a positive and a negative." if trains else "no query has a positive."
            raise InputError(problem, hint="check the labels' quality.", path=labels)
        FORMS[form].writer(Examples(joined, trains), folder)
        joined.unlink()
        write_text(folder / "README.md", card(settings, FORMS[form], counts, figures, ignored))
    LOG.info(f"{output}: " + ", ".join(f"{number} {what}" for what, number in counts.items()))
