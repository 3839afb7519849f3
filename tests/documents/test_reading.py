"""A shard of a folder as a file of documents."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import pytest
from made import docx, epub, pdf

from utility_annotation.common.errors import InputError
from utility_annotation.documents import reading
from utility_annotation.documents.reading import read_documents, rows_of_file, rows_of_several
from utility_annotation.io.schemas import DOCUMENTS

_WORDS = "These are words of a document."


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.md", _WORDS.encode()),
        ("a.HTML", f"<p>{_WORDS}</p>".encode()),
        ("a.txt.gz", gzip.compress(_WORDS.encode(), mtime=0)),
        ("A.TXT.GZ", gzip.compress(_WORDS.encode(), mtime=0)),
        ("a.rst", _WORDS.encode()),
        ("a.pdf", pdf([[_WORDS]])),
        ("a.docx", docx([("", _WORDS)])),
        ("a.epub", epub({"a": f"<p>{_WORDS}</p>"})),
    ],
)
def test_every_format_is_read_by_its_ending(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    row = rows_of_file(tmp_path, name)[0]
    assert (row["file"], row["outcome"], row["reason"]) == (name, "read", "")
    assert [block["text"] for block in row["blocks"]] == [_WORDS]


@pytest.mark.parametrize(
    ("name", "content", "outcome", "reason"),
    [
        ("a.png", b"\x89PNG", "other", "no reader for *.png"),
        ("LICENSE", b"text", "other", "no reader for *LICENSE"),
        ("a.md", b"", "unreadable", "it is empty"),
        ("a.txt", b" \n\t\n", "unreadable", "it is empty"),
        ("a.html", b"<p></p>", "unreadable", "it has no text"),
        ("a.txt.gz", gzip.compress(b"words" * 99, mtime=0)[:-9], "unreadable", "its compressed data are broken"),
        ("a.pdf", b"%PDF-1.4 broken", "unreadable", "it is no PDF, or broken"),
        ("gone.md", None, "unreadable", "the system cannot read it"),
    ],
)
def test_what_cannot_be_read_is_told(
    tmp_path: Path, name: str, content: bytes | None, outcome: str, reason: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    row = rows_of_file(tmp_path, name)[0]
    assert row["outcome"] == outcome
    assert row["reason"].startswith(reason)
    assert row["blocks"] == []


def test_a_name_that_is_no_text_reaches_no_row(tmp_path: Path) -> None:
    row = rows_of_file(tmp_path, os.fsdecode(b"a.p\xff"))[0]
    assert (row["file"], row["reason"]) == ("a.p\\xff", "no reader for *.p\\xff")


def test_a_reason_is_one_short_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("bad\n\0\ud800 " + "x" * 9999)

    monkeypatch.setattr(reading, "read_document", fail)
    reason = rows_of_file(tmp_path, "a.md")[0]["reason"]
    assert reason.startswith("its reader failed (ValueError: bad xxx")
    assert len(reason) == 500


def test_json_lines_that_are_empty_or_cannot_be_read_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.jsonl").write_text("")
    assert [row["reason"] for row in rows_of_several(tmp_path, "a.jsonl")] == ["it is empty"]

    def fail(_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(reading, "read_several", fail)
    assert [row["reason"] for row in rows_of_several(tmp_path, "a.jsonl")] == [
        "the system cannot read it (Permission denied)"
    ]


def test_control_characters_do_not_reach_a_passage(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(b"one\x1b[31mtwo\x07end")
    assert rows_of_file(tmp_path, "a.txt")[0]["blocks"][0]["text"] == "one [31mtwo end"


def test_a_word_has_no_soft_hyphens(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<title>Doc&shy;ument</title><h1>Head&shy;ing</h1><p>exam&shy;ple</p>")
    row = rows_of_file(tmp_path, "a.html")[0]
    assert (row["title"], row["blocks"][0]["headings"], row["blocks"][0]["text"]) == (
        "Document",
        ["Heading"],
        "example",
    )


def _lines(*rows: Any) -> str:
    return "".join(f"{json.dumps(row)}\n" for row in rows)


def test_json_lines_hold_a_document_each_up_to_a_bad_line(tmp_path: Path) -> None:
    good = [{"docid": f"d{number}", "title": "T", "text": "One.\n\nTwo."} for number in range(2)]
    (tmp_path / "a.jsonl").write_text(_lines(*good) + "{broken\n")
    rows = list(rows_of_several(tmp_path, "a.jsonl"))
    assert [(row["name"], row["title"], row["outcome"]) for row in rows] == [
        ("d0", "T", "read"),
        ("d1", "T", "read"),
        ("", "", "unreadable"),
    ]
    assert [block["text"] for block in rows[0]["blocks"]] == ["One.", "Two."]
    assert rows[2]["reason"].startswith("line 3: ")


def test_json_lines_are_read_up_to_a_docid_that_stands_twice(tmp_path: Path) -> None:
    documents = [{"docid": docid, "text": f"Text {number}."} for number, docid in enumerate("abac")]
    (tmp_path / "a.jsonl").write_text(_lines(*documents))
    rows = list(rows_of_several(tmp_path, "a.jsonl"))
    assert [(row["name"], row["outcome"]) for row in rows] == [("a", "read"), ("b", "read"), ("", "unreadable")]
    assert rows[2]["reason"] == "line 3: the docid 'a' stands on line 1 already. 2 documents before it were read"


@pytest.mark.process
def test_a_docid_that_stands_twice_stops_no_other_file(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    for name, docids in (("a.jsonl", "xx"), ("b.jsonl", "xy"), ("c.jsonl", "z")):
        (folder / name).write_text(_lines(*({"docid": docid, "text": "One."} for docid in docids)))
    assert read_documents(folder, "0000-of-0001", tmp_path / "out.parquet", processes=1) == 4
    table = DOCUMENTS.read(tmp_path / "out.parquet").to_pydict()
    assert list(zip(table["file"], table["name"], table["outcome"], strict=True)) == [
        ("a.jsonl", "x", "read"),
        ("a.jsonl", "", "unreadable"),
        ("b.jsonl", "x", "read"),
        ("b.jsonl", "y", "read"),
        ("c.jsonl", "z", "read"),
    ]


@pytest.mark.process
def test_a_shard_has_its_files_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    for name in ("b.md", "a.txt", "c.png"):
        (folder / name).write_text(_WORDS)
    (folder / "d.jsonl").write_text(_lines({"docid": "x", "text": "One."}))
    assert read_documents(folder, "0000-of-0001", tmp_path / "out.parquet", processes=2) == 3
    table = DOCUMENTS.read(tmp_path / "out.parquet").to_pydict()
    assert list(zip(table["file"], table["name"], table["outcome"], strict=True)) == [
        ("a.txt", "", "read"),
        ("b.md", "", "read"),
        ("c.png", "", "other"),
        ("d.jsonl", "x", "read"),
    ]


@pytest.mark.process
def test_a_folder_that_changes_meanwhile_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "a.jsonl").write_text(_lines({"docid": "x", "text": "One."}))

    def read(folder: Path, name: str) -> Any:
        (folder / "new.jsonl").write_text("{}\n")
        return rows_of_several(folder, name)

    monkeypatch.setattr(reading, "rows_of_several", read)
    with pytest.raises(InputError, match=r"new\.jsonl changed while"):
        read_documents(folder, "0000-of-0001", tmp_path / "out.parquet", processes=1)
    assert not (tmp_path / "out.parquet").exists()
