"""Outside files into schemas, and every kind of bad input: one error with file and line, nothing written."""

from __future__ import annotations

import gzip
import json
import logging
import subprocess
import sys
from pathlib import Path

import ingest as script
import pytest
from command_line import arguments, write_configuration
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.io.ingest import in_part, ingest_answers, ingest_corpus, ingest_qrels, ingest_queries
from utility_annotation.io.schemas import ANSWERS, CORPUS, QRELS, QUERIES
from utility_annotation.settings import Dataset, Part, Source, Split


def source(path: Path, form: str = "msmarco") -> Source:
    return Source(format=form, path=str(path))


def dataset(path: Path, form: str = "msmarco", titles: bool = True) -> Dataset:
    return Dataset(corpus=source(path, form), titles=titles, splits={})


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    folder = tmp_path / "raw"
    folder.mkdir()
    (folder / "collection.tsv").write_bytes(b"d1\tone\nd2\ttwo\nd3\tthree\n")
    (folder / "queries.tsv").write_bytes(b"q1\tfirst?\nq2\tsecond?\n")
    (folder / "qrels.tsv").write_bytes(b"q1\t0\td2\t1\n")
    (folder / "answers.jsonl").write_bytes(
        b'{"query_id": "q1", "answers": ["one", "1"]}\n{"query_id": "q2", "answers": []}\n'
    )
    return folder


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def ingest_all(raw: Path, out: Path) -> None:
    split = Split(
        queries=source(raw / "queries.tsv"),
        qrels=source(raw / "qrels.tsv", "trec"),
        answers=source(raw / "answers.jsonl", "jsonl"),
    )
    ingest_corpus(dataset(raw / "collection.tsv"), out / "corpus.parquet")
    ingest_queries(split, out / "queries.parquet")
    ingest_qrels(split, out / "corpus.parquet", out / "queries.parquet", out / "qrels.parquet")
    ingest_answers(split, out / "queries.parquet", out / "answers.parquet")


def test_ms_marco(raw: Path, out: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        ingest_all(raw, out)
    assert CORPUS.read(out / "corpus.parquet").to_pydict() == {
        "docid": ["d1", "d2", "d3"],
        "title": [None, None, None],
        "text": ["one", "two", "three"],
    }
    assert QUERIES.read(out / "queries.parquet").to_pydict() == {
        "query_id": ["q1", "q2"],
        "text": ["first?", "second?"],
    }
    assert QRELS.read(out / "qrels.parquet").to_pylist() == [{"query_id": "q1", "docid": "d2", "grade": 1}]
    assert ANSWERS.read(out / "answers.parquet").to_pylist() == [{"query_id": "q1", "answers": ["one", "1"]}]
    assert "1 of 2 queries have no answer" in caplog.text


def test_judged_only(raw: Path, out: Path) -> None:
    split = Split(queries=source(raw / "queries.tsv"), qrels=source(raw / "qrels.tsv"), judged_only=True)
    assert ingest_queries(split, out / "queries.parquet") == 1
    assert QUERIES.read(out / "queries.parquet")["query_id"].to_pylist() == ["q1"]


def test_judgements_of_unknown_passages_are_kept_and_counted_on_demand(
    raw: Path, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (raw / "qrels.tsv").write_bytes(b"q1\t0\td9\t1\nq1\t0\td2\t1\nq2\t0\td8\t1\n")
    split = Split(queries=source(raw / "queries.tsv"), qrels=source(raw / "qrels.tsv"), unknown_passages="keep")
    ingest_corpus(dataset(raw / "collection.tsv"), out / "corpus.parquet")
    ingest_queries(split, out / "queries.parquet")
    with caplog.at_level(logging.WARNING):
        ingest_qrels(split, out / "corpus.parquet", out / "queries.parquet", out / "qrels.parquet")
    assert QRELS.read(out / "qrels.parquet")["docid"].to_pylist() == ["d9", "d2", "d8"]
    assert "2 judgements are of passages that the corpus lacks" in caplog.text


def test_the_old_name_of_keep_is_told(raw: Path) -> None:
    with pytest.raises(ValueError, match="`drop` is now `keep`"):
        Split(queries=source(raw / "queries.tsv"), unknown_passages="drop")


def test_scifact(shared_data: Path, out: Path) -> None:
    folder = shared_data / "scifact-beir"
    split = Split(queries=source(folder, "beir"), qrels=source(folder / "qrels" / "test.tsv", "beir"), judged_only=True)
    assert ingest_corpus(dataset(folder, "beir"), out / "corpus.parquet") == 5183
    assert ingest_queries(split, out / "queries.parquet") == 300
    assert ingest_qrels(split, out / "corpus.parquet", out / "queries.parquet", out / "qrels.parquet") == 339
    assert CORPUS.read(out / "corpus.parquet")["title"].null_count == 0


def test_ms_marco_qrels_of_a_corpus_that_lacks_them(shared_data: Path, out: Path, raw: Path) -> None:
    folder = shared_data / "msmarco-ans-small"
    split = Split(queries=source(folder / "queries.dev.small.tsv"), qrels=source(folder / "qrels.dev.small.tsv"))
    ingest_corpus(dataset(raw / "collection.tsv"), out / "corpus.parquet")
    assert ingest_queries(split, out / "queries.parquet") == 105
    with pytest.raises(InputError, match=r"qrels\.dev\.small\.tsv, line 1: the judged passage '7072358' is not"):
        ingest_qrels(split, out / "corpus.parquet", out / "queries.parquet", out / "qrels.parquet")


def query_ids(path: Path) -> list[str]:
    return QUERIES.read(path)["query_id"].to_pylist()


def test_answered_only(raw: Path, out: Path) -> None:
    answers = source(raw / "answers.jsonl", "jsonl")
    split = Split(queries=source(raw / "queries.tsv"), answers=answers, answered_only=True)
    assert ingest_queries(split, out / "queries.parquet") == 1
    assert query_ids(out / "queries.parquet") == ["q1"]


def test_a_sample_is_drawn_from_what_the_filters_leave(raw: Path, out: Path) -> None:
    ids = [f"q{number}" for number in range(60)]
    (raw / "queries.tsv").write_text("".join(f"{query_id}\ttext\n" for query_id in ids))
    (raw / "qrels.tsv").write_text("".join(f"{query_id}\t0\td1\t1\n" for query_id in ids[10:]))
    (raw / "answers.jsonl").write_text(
        "".join(json.dumps({"query_id": query_id, "answers": ["a"]}) + "\n" for query_id in ids[:40])
    )
    left = ids[10:40]

    def drawn(count: int, seed: int, reverse: bool = False) -> list[str]:
        if reverse:
            (raw / "queries.tsv").write_text("".join(f"{query_id}\ttext\n" for query_id in reversed(ids)))
        split = Split(
            queries=source(raw / "queries.tsv"),
            qrels=source(raw / "qrels.tsv", "trec"),
            answers=source(raw / "answers.jsonl", "jsonl"),
            judged_only=True,
            answered_only=True,
            sample={"queries": count, "seed": seed},
        )
        assert ingest_queries(split, out / "queries.parquet") == count
        return query_ids(out / "queries.parquet")

    few, more, others = drawn(10, 1), drawn(20, 1), drawn(10, 2)
    assert few == [query_id for query_id in left if query_id in few]  # the file's order
    assert set(few) < set(more) < set(left)
    assert few != others
    assert drawn(30, 1) == left
    assert drawn(10, 1, reverse=True) == few[::-1]
    with pytest.raises(InputError, match=r"queries\.tsv: only 30 questions are left, but `sample\.queries` is 31"):
        drawn(31, 1)


def test_judgements_and_answers_of_unknown_queries_are_dropped_on_demand(
    raw: Path, out: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (raw / "qrels.tsv").write_bytes(b"q8\t0\td2\t1\nq1\t0\td2\t1\nq9\t0\td9\t1\nq1\t0\td7\t1\n")
    (raw / "answers.jsonl").write_bytes(
        b'{"query_id": "q9", "answers": ["x"]}\n{"query_id": "q2", "answers": ["two"]}\n'
    )
    split = Split(
        queries=source(raw / "queries.tsv"),
        qrels=source(raw / "qrels.tsv"),
        answers=source(raw / "answers.jsonl", "jsonl"),
        unknown_queries="drop",
        unknown_passages="keep",
    )
    ingest_corpus(dataset(raw / "collection.tsv"), out / "corpus.parquet")
    ingest_queries(split, out / "queries.parquet")
    with caplog.at_level(logging.WARNING):
        assert ingest_qrels(split, out / "corpus.parquet", out / "queries.parquet", out / "qrels.parquet") == 2
        assert ingest_answers(split, out / "queries.parquet", out / "answers.parquet") == 1
    assert QRELS.read(out / "qrels.parquet")["docid"].to_pylist() == ["d2", "d7"]
    assert ANSWERS.read(out / "answers.parquet").to_pylist() == [{"query_id": "q2", "answers": ["two"]}]
    for message in (
        "dropped 2 judgements of questions that the split lacks",
        "1 judgements are of passages that the corpus lacks",
        "dropped the answers to 1 questions that the split lacks",
        "1 of 2 queries have no answer",
    ):
        assert message in caplog.text


def test_nq_open_answers_are_joined_by_the_question(raw: Path, out: Path, caplog: pytest.LogCaptureFixture) -> None:
    (raw / "queries.tsv").write_bytes(b"q1\tWho won?\nq2\twho  won\nq3\twho lost\nq4\twho tied\n")
    (raw / "nq.jsonl").write_bytes(
        b'{"question": "who won", "answer": ["A", "B"]}\n{"question": "who tied", "answer": []}\n'
        b'{"question": "who else", "answer": ["C"]}\n'
    )
    answers = {"queries": source(raw / "queries.tsv"), "answers": source(raw / "nq.jsonl", "nq-open")}
    ingest_queries(Split(**answers), out / "queries.parquet")
    with caplog.at_level(logging.INFO):
        ingest_answers(Split(**answers, unknown_queries="drop"), out / "queries.parquet", out / "answers.parquet")
    assert ANSWERS.read(out / "answers.parquet").to_pylist() == [
        {"query_id": "q1", "answers": ["A", "B"]},
        {"query_id": "q2", "answers": ["A", "B"]},
    ]
    assert "2 of its 3 questions are among the split's" in caplog.text
    assert "2 of 4 queries have no answer" in caplog.text
    with pytest.raises(InputError, match=r"nq\.jsonl, line 3: query 'who else' is not among the split's queries"):
        ingest_answers(Split(**answers), out / "queries.parquet", out / "answers.parquet")
    ingest_queries(Split(**answers, answered_only=True), out / "queries.parquet")
    assert query_ids(out / "queries.parquet") == ["q1", "q2"]


def test_nq_open_answers_its_own_questions(shared_data: Path, out: Path) -> None:
    nq = source(shared_data / "nq-open" / "NQ-open.dev.jsonl", "nq-open")
    split = Split(queries=nq, answers=nq)
    assert ingest_queries(split, out / "queries.parquet") == 3610
    assert ingest_answers(split, out / "queries.parquet", out / "answers.parquet") == 3610
    assert ANSWERS.read(out / "answers.parquet")["answers"][0].as_py() == ["14 December 1972 UTC", "December 1972"]


def test_dpr_as_a_whole_dataset(raw: Path, out: Path) -> None:
    (raw / "psgs_w100.tsv").write_bytes(b'id\ttext\ttitle\n1\t"a ""b"""\tA\n2\tc\tC\n')
    questions = [
        {"question": "what?", "answers": ["a"], "positive_ctxs": [{"passage_id": "1"}, {"passage_id": "9"}]},
        {"question": "why?", "answers": ["b"], "positive_ctxs": []},
    ]
    (raw / "train.json.gz").write_bytes(gzip.compress(json.dumps(questions).encode()))
    train = source(raw / "train.json.gz", "dpr")
    split = Split(queries=train, qrels=train, answers=train, judged_only=True, unknown_passages="keep")
    assert ingest_corpus(dataset(raw / "psgs_w100.tsv", "dpr"), out / "corpus.parquet") == 2
    assert ingest_queries(split, out / "queries.parquet") == 1
    assert ingest_qrels(split, out / "corpus.parquet", out / "queries.parquet", out / "qrels.parquet") == 2
    with pytest.raises(InputError, match=r"train\.json\.gz, item 2: query '2' is not among .* unknown_queries to drop"):
        ingest_answers(split, out / "queries.parquet", out / "answers.parquet")


def test_a_repeated_question_of_a_json_list_is_named_by_item(raw: Path, out: Path) -> None:
    row = {"_id": "h", "question": "q", "answer": "a"}
    (raw / "hotpot.json").write_text(json.dumps([row, {**row, "_id": "other"}, row]))
    with pytest.raises(InputError, match=r"hotpot\.json, item 3: query_id 'h' stands here and already on item 1"):
        ingest_queries(Split(queries=source(raw / "hotpot.json", "hotpotqa")), out / "queries.parquet")


def test_titles_are_left_out_on_demand(raw: Path, out: Path, caplog: pytest.LogCaptureFixture) -> None:
    (raw / "corpus.jsonl").write_bytes(
        b'{"docid": "d1", "title": "T", "text": "one"}\n{"docid": "d2", "title": "U", "text": ""}\n'
    )
    ingest_corpus(dataset(raw / "corpus.jsonl", "jsonl"), out / "with.parquet")
    assert CORPUS.read(out / "with.parquet")["title"].to_pylist() == ["T", "U"]
    assert not caplog.records
    ingest_corpus(dataset(raw / "corpus.jsonl", "jsonl", titles=False), out / "without.parquet")
    assert CORPUS.read(out / "without.parquet").to_pydict() == {
        "docid": ["d1", "d2"],
        "title": [None, None],
        "text": ["one", ""],
    }
    assert "1 of 2 passages are blank; they stay" in caplog.text


BLANK = {
    "msmarco": b"d1\tone\nd2\t \nd3\t\n",
    "beir": b'{"_id": "d1", "title": "", "text": "one"}\n{"_id": "d2", "title": "", "text": ""}\n'
    b'{"_id": "d3", "title": " ", "text": "\\t"}\n',
    "jsonl": b'{"docid": "d1", "text": "one"}\n{"docid": "d2", "text": ""}\n{"docid": "d3", "text": null}\n',
    "dpr": b"id\ttext\ttitle\nd1\tone\t\nd2\t\t\nd3\t \t \n",
}
"""Passages with neither title nor text, as FiQA has them."""


@pytest.mark.parametrize("form", BLANK)
def test_blank_passages_stay_and_are_counted(raw: Path, out: Path, form: str, caplog: pytest.LogCaptureFixture) -> None:
    (raw / "corpus").write_bytes(BLANK[form])
    ingest_corpus(dataset(raw / "corpus", form), out / "corpus.parquet")
    assert CORPUS.read(out / "corpus.parquet").to_pydict() == {
        "docid": ["d1", "d2", "d3"],
        "title": [None] * 3,
        "text": ["one", "", ""],
    }
    assert "2 of 3 passages are blank; they stay" in caplog.text


def test_a_corpus_without_any_text_is_refused(raw: Path, out: Path) -> None:
    (raw / "collection.tsv").write_bytes(b"d1\t\nd2\t \n")
    with pytest.raises(InputError, match=r"collection\.tsv: no passage has a text\. Fix: "):
        ingest_corpus(dataset(raw / "collection.tsv"), out / "corpus.parquet")
    assert not list(out.glob("*"))


def test_a_split_without_what_is_asked_for(raw: Path, out: Path) -> None:
    split = Split(queries=source(raw / "queries.tsv"))
    with pytest.raises(InputError, match="this split has no `qrels`"):
        ingest_qrels(split, out / "corpus.parquet", out / "queries.parquet", out / "x.parquet")
    with pytest.raises(InputError, match="this split has no `answers`"):
        ingest_answers(split, out / "queries.parquet", out / "x.parquet")


def test_a_corpus_of_several_blocks_is_whole(raw: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("utility_annotation.io.ingest._BLOCK_ROWS", 7)
    (raw / "collection.tsv").write_text("".join(f"{number}\ttext {number}\n" for number in range(100)))
    assert ingest_corpus(dataset(raw / "collection.tsv"), out / "corpus.parquet") == 100
    assert CORPUS.read(out / "corpus.parquet")["docid"].to_pylist() == [str(number) for number in range(100)]


BAD = [
    ("collection.tsv", b"d1\tone\nd2\n", 2, "1 column where 2 are due"),
    ("collection.tsv", b"d1\tone\nd2\ttwo\tmore\n", 2, "3 columns where 2 are due"),
    ("collection.tsv", b"d1\tone\n\ttwo\n", 2, "`passage id` is empty"),
    ("collection.tsv", b"d1\tone\nd2\ttwo\n\nd1\tthree\n", 4, "docid 'd1' stands here and already on line 1"),
    ("collection.tsv", b"d1\tone\nd2\tt\xffwo\n", 2, "byte 0xff at position 5 .* is not UTF-8"),
    ("collection.tsv", gzip.compress(b"d1\tone\n" * 999, mtime=0)[:-9], None, "cut short"),
    ("collection.tsv", b"", None, "no row for the corpus"),
    ("queries.tsv", b"q1\tfirst?\nq1\tagain?\n", 2, "query_id 'q1' stands here and already on line 1"),
    ("queries.tsv", b"q1\tfirst?\nq2\t\n", 2, "`text` is empty"),
    ("queries.tsv", b"q1 first?\n", 1, "1 column where 2 are due"),
    ("qrels.tsv", b"q1\t0\td1\t1\nq1\t0\td1\t2\n", 2, "query_id 'q1', docid 'd1' stands here and already on line 1"),
    ("qrels.tsv", b"q1\t0\td9\t1\n", 1, "the judged passage 'd9' is not in the corpus"),
    ("qrels.tsv", b"q9\t0\td1\t1\n", 1, "query 'q9' is not among the split's queries"),
    ("qrels.tsv", b"q1\t0\td1\tyes\n", 1, "`grade` is str 'yes', not an integer"),
    ("qrels.tsv", b"q1\t0\td1\t99999999999\n", 1, "`grade` is .*not an integer"),
    ("qrels.tsv", b"q1\td1\t1\n", 1, "3 columns where 4 are due"),
    ("answers.jsonl", b'{"query_id": "q9", "answers": ["x"]}\n', 1, "query 'q9' is not among"),
    ("answers.jsonl", b'{"query_id": "q1", "answers": ["x"]}\n' * 2, 2, "query_id 'q1' stands .* on line 1"),
    ("answers.jsonl", b'{"query_id": "q1", "answers": ["x"]\n', 1, "this is not JSON"),
    ("answers.jsonl", b'{"query_id": "q1", "answers": ["\xff"]}\n', 1, "byte 0xff .* is not UTF-8"),
    ("answers.jsonl", b'{"query_id": "q1", "answers": []}\n', None, "no row for the answers"),
]


@pytest.mark.parametrize(("name", "content", "line", "problem"), BAD)
def test_bad_input(raw: Path, out: Path, name: str, content: bytes, line: int | None, problem: str) -> None:
    (raw / name).write_bytes(content)
    place = rf"{name}, line {line}: " if line else name
    with pytest.raises(InputError, match=rf"{place}.*{problem}.*Fix: "):
        ingest_all(raw, out)
    order = ["collection.tsv", "queries.tsv", "qrels.tsv", "answers.jsonl"]
    written = ["corpus.parquet", "queries.parquet", "qrels.parquet"][: order.index(name)]
    assert sorted(path.name for path in out.iterdir()) == sorted(written)


@pytest.mark.parametrize(
    ("form", "read"),
    [
        ("trec", lambda s, o: ingest_corpus(Dataset(corpus=s, splits={}), o)),
        ("tevatron", lambda s, o: ingest_queries(Split(queries=s), o)),
    ],
)
def test_a_format_that_does_not_hold_this(raw: Path, out: Path, form: str, read) -> None:
    with pytest.raises(InputError, match=rf"format '{form}' holds no (passages|queries).*msmarco, beir,.* jsonl"):
        read(source(raw / "qrels.tsv", form), out / "x.parquet")


def write_settings(raw: Path) -> Path:
    """A configuration whose dataset ``small`` lies in ``raw``."""
    split = {
        "queries": {"format": "msmarco", "path": str(raw / "queries.tsv")},
        "qrels": {"format": "trec", "path": str(raw / "qrels.tsv")},
        "answers": {"format": "jsonl", "path": str(raw / "answers.jsonl")},
    }
    corpus = {"format": "msmarco", "path": str(raw / "collection.tsv")}
    small = {"corpus": corpus, "splits": {"train": split}}
    return write_configuration(raw / "config.yaml", datasets={"small": small})


def test_script(raw: Path, out: Path) -> None:
    config = write_settings(raw)
    inputs: dict[str, list[str]] = {
        "corpus": [],
        "queries": ["--split"],
        "qrels": ["--split", "--corpus", "--queries"],
        "answers": ["--split", "--queries"],
    }
    values = {"--split": "train", "--corpus": out / "corpus.parquet", "--queries": out / "queries.parquet"}
    for what, options in inputs.items():
        given = [text for option in options for text in (option, str(values[option]))]
        output = out / f"{what}.parquet"
        script.main([*arguments(what, config=config, dataset="small", output=output), *given])
    assert sorted(path.stem for path in out.iterdir()) == sorted(inputs)


@pytest.mark.process
def test_a_script_says_what_is_wrong_in_one_line(root: Path, raw: Path, out: Path) -> None:
    (raw / "collection.tsv").write_bytes(b"d1\tone\nd2\n")
    options = arguments("corpus", config=write_settings(raw), dataset="small", output=out / "corpus.parquet")
    command = [sys.executable, root / "workflow" / "scripts" / "ingest.py", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"error: {raw / 'collection.tsv'}, line 2: 1 column where 2 are due (passage id, text). "
        "Fix: give the line exactly these columns, separated by tabs."
    ]
    assert list(out.iterdir()) == []


@given(st.sets(st.text(max_size=8)), st.floats(0.1, 99.9), st.integers())
def test_parts_that_share_a_border_share_no_question_and_leave_none_out(
    ids: set[str], border: float, seed: int
) -> None:
    below, above = Part(percent=(0, border), seed=seed), Part(percent=(border, 100), seed=seed)
    assert all(in_part(query_id, below) != in_part(query_id, above) for query_id in ids)


def test_a_part_has_about_its_share_of_the_questions() -> None:
    kept = [in_part(str(number), Part(percent=(20, 50))) for number in range(10_000)]
    assert 2800 < sum(kept) < 3200


def test_questions_that_ask_the_same_are_in_the_same_part() -> None:
    part = Part(percent=(0, 50))
    for number in range(200):
        assert in_part(f"What is the height of hill {number}?", part) == in_part(f"height of Hill {number}", part)


def test_a_split_keeps_its_part_of_the_file_and_then_its_sample(raw: Path, out: Path) -> None:
    lines = [f"q{number}\tquestion {number}\n" for number in range(100)]
    (raw / "queries.tsv").write_text("".join(lines))
    part = Part(percent=(0, 50))
    ingest_queries(Split(queries=source(raw / "queries.tsv"), part=part), out / "half.parquet")
    half = QUERIES.read(out / "half.parquet")["query_id"].to_pylist()
    assert half == [f"q{number}" for number in range(100) if in_part(f"question {number}", part)]
    sampled = Split.model_validate({"queries": source(raw / "queries.tsv"), "part": part, "sample": {"queries": 9}})
    ingest_queries(sampled, out / "few.parquet")
    assert set(QUERIES.read(out / "few.parquet")["query_id"].to_pylist()) < set(half)


def test_a_sample_may_be_smaller_where_fewer_questions_are_kept(raw: Path, out: Path) -> None:
    split = {"queries": source(raw / "queries.tsv"), "sample": {"queries": 3, "fewer": "keep"}}
    assert ingest_queries(Split.model_validate(split), out / "all.parquet") == 2
