"""Keep the passages that an LLM selects, in the stages of the annotation: on topic, pseudo-answer, of use for it."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..annotation.items import Item, with_results
from ..annotation.progress import AnnotationProgress
from ..annotation.prompts import PromptTemplate
from ..annotation.shard import Stage, annotate
from ..annotation.stages import STAGES
from ..engines.protocol import Engine
from ..engines.store import CompletionStore
from ..io.schemas import ANNOTATION, RUN, iter_rows
from ..settings import Annotator, Retries
from .selected import counts, keep

logger = logging.getLogger(__name__)


def make_stages(prompts: Mapping[str, Path], annotator: Annotator, template: PromptTemplate) -> dict[str, Stage]:
    """The stages by name, each with its prompt template; the cleaner is that of ``template``."""
    return {
        name: STAGES[name].make(annotator, PromptTemplate(path, template.cleaner)) for name, path in prompts.items()
    }


class SelectionWork:
    """What all stages of a selection took, and what they kept."""

    def __init__(self, stages: Sequence[AnnotationProgress], kept: dict[str, Any], tokens: int) -> None:
        self._stages, self._kept, self._tokens = stages, kept, tokens

    def summary(self) -> dict[str, Any]:
        """The sums of :meth:`.progress.AnnotationProgress.summary`; the outcomes are those of the last stage.

        ``tokens`` are all that were read and written, those of stored replies included.
        """
        *_, last = each = [stage.summary() for stage in self._stages]
        sums: Counter[str] = Counter()
        for summary in each:
            sums.update({name: value for name, value in summary.items() if isinstance(value, int | float)})
        return dict(sums) | {"outcomes": last["outcomes"], "tokens": self._tokens} | self._kept


def select(
    items: Sequence[Item],
    stages: Mapping[str, Stage],
    engine: Engine,
    store: CompletionStore,
    retries: Retries,
    output: Path,
    *,
    run: Path,
    depth: int,
    folder: Path,
) -> SelectionWork:
    """Write a run with the passages that the last stage selects of the first ``depth`` ones.

    They keep the order and the scores of the run. A query of which the selection is empty has none. Where a selection
    failed or cannot be read, all ``depth`` passages are kept, and the log and the summary count these queries.

    Args:
        items: the queries of the run with their first ``depth`` passages, best first.
        stages: by name, in their order.
        output: file of schema ``RUN`` to write.
        run: the ranking, of schema ``RUN``.
        folder: where each stage's annotation is written, as STAGE.parquet.
    """
    done, tokens = [], 0
    for name, stage in stages.items():
        read = {each: folder / f"{each}.parquet" for each in STAGES[name].reads}
        done.append(annotate(with_results(items, read), stage, engine, store, retries, folder / f"{name}.parquet"))
        own = ANNOTATION.read(folder / f"{name}.parquet", ["prompt_tokens", "completion_tokens"])
        tokens += sum(sum(column.to_pylist()) for column in own.columns)
    rows = iter_rows(ANNOTATION, [folder / f"{list(stages)[-1]}.parquet"])
    chosen = {row["query_id"]: None if row["docids"] is None else set(row["docids"]) for row in rows}

    def kept(query_id: str, docids: list[str]) -> set[str]:
        found = chosen[query_id]
        return set(docids) if found is None else found

    found = keep(run, kept, depth=depth)
    RUN.write(output, found)
    unread = sum(docids is None for docids in chosen.values())
    if unread:
        logger.warning("%d of %d questions keep all passages, for lack of a selection", unread, len(chosen))
    return SelectionWork(done, counts(run, found, depth) | {"kept_whole": unread}, tokens)
