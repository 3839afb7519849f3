"""MS MARCO's TSV files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.io.formats import msmarco
from utility_annotation.io.formats.rows import PassageRow, Query


def test_quotation_marks_are_plain_characters(tmp_path: Path) -> None:
    path = tmp_path / "collection.tsv"
    path.write_bytes(b'0\t"He said ""no""\n1\tit\xc3\xa2\xc2\x80\xc2\x99s\n')
    assert list(msmarco.read_passages(path)) == [
        PassageRow(1, "0", None, '"He said ""no""'),
        PassageRow(2, "1", None, "itâ\x80\x99s"),
    ]


@pytest.mark.parametrize("header", ["qid\tquery", "_id\tbody of it", "Query ID\tText", "docid\tcontents", "id\ttext"])
def test_a_header_line_is_no_question(tmp_path: Path, header: str) -> None:
    (tmp_path / "a.tsv").write_text(f"{header}\n1\twhy?\n")
    with pytest.raises(InputError, match=r"a\.tsv, line 1: this is a header line .* Fix: set `format` to csv"):
        list(msmarco.read_queries(tmp_path / "a.tsv"))


def test_real_dev_queries(shared_data: Path) -> None:
    queries = list(msmarco.read_queries(shared_data / "msmarco-ans-small" / "queries.dev.small.tsv"))
    assert len(queries) == 105
    assert queries[0] == Query(1, "188714", "foods and supplements to lower blood sugar")


def test_real_dev_qrels(shared_data: Path) -> None:
    judgements = list(msmarco.read_judgements(shared_data / "msmarco-ans-small" / "qrels.dev.small.tsv"))
    assert len(judgements) == 114
    assert judgements[0] == (1, "352818", "7072358", 1)


_CELL = st.text(st.characters(blacklist_characters="\t\r\n", blacklist_categories=["Cs"])).filter(str.strip)
_ID = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Z"]), min_size=1)


@settings(max_examples=50)
@given(pairs=st.lists(st.tuples(_ID.filter(lambda text: not text.startswith("\ufeff")), _CELL)))
def test_what_is_written_is_read(pairs: list[tuple[str, str]], tmp_path_factory) -> None:
    path = tmp_path_factory.mktemp("msmarco") / "queries.tsv"
    path.write_bytes("".join(f"{query_id}\t{text}\n" for query_id, text in pairs).encode())
    assert [row[1:] for row in msmarco.read_queries(path)] == pairs
