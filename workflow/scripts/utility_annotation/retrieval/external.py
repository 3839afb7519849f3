"""Runs that others made, ranked as trec_eval ranks them."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pyarrow as pa

from ..common.errors import InputError
from ..io.formats.trec import read_run
from ..io.schemas import QUERIES
from .runs import rank

_LOG = logging.getLogger(__name__)


def external_run(path: Path, queries: Path, *, depth: int, drop_query_document: bool) -> pa.Table:
    """A TREC run as a table of schema ``RUN``, with the queries of a test set alone.

    The file's ranks count for nothing, as in trec_eval: scores decide, then docids. Queries that the run lacks are
    counted when it is evaluated.

    Args:
        path: the run.
        queries: the test set's queries (schema ``QUERIES``).
        depth: passages kept per query.
        drop_query_document: whether a passage whose docid is the query's own id is dropped first.

    Raises:
        InputError: a bad line, a passage that stands twice for one query, or no query of the test set.
    """
    known = QUERIES.read(queries, ["query_id"])["query_id"].to_pylist()
    places = {query_id: place for place, query_id in enumerate(known)}
    rows: list[int] = []
    docids: list[str] = []
    scores: list[float] = []
    first: dict[tuple[int, str], int] = {}
    unknown = set()
    for hit in read_run(path):
        place = places.get(hit.query_id)
        if place is None:
            unknown.add(hit.query_id)
            continue
        earlier = first.setdefault((place, hit.docid), hit.line)
        if earlier != hit.line:
            raise InputError(
                f"passage {hit.docid!r} stands here and already on line {earlier} for query {hit.query_id!r}.",
                hint="keep one of the two lines.",
                path=path,
                line=hit.line,
            )
        rows.append(place)
        docids.append(hit.docid)
        scores.append(hit.score)
    if not rows:
        raise InputError(
            f"none of its {len(unknown)} queries is one of the test set's {len(known)}.",
            hint="correct the file, or the test set that it stands under in `external_runs`.",
            path=path,
        )
    if unknown:
        _LOG.warning("%d queries of the run are not in the test set and are left out", len(unknown))
    return rank(
        known,
        np.array(rows),
        pa.array(docids, pa.string()),
        np.array(scores),
        depth=depth,
        drop_query_document=drop_query_document,
    )
