"""Candidate pools: what is chosen, its order, its shard; and bad input."""

from __future__ import annotations

import gzip
import logging
from pathlib import Path

import orjson
import pool as script
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from command_line import arguments, write_configuration
from hypothesis import given, settings
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.io.formats import tevatron
from utility_annotation.io.schemas import CORPUS, POOL
from utility_annotation.pools.build import build_pool
from utility_annotation.pools.shards import choose, shard_names, shard_of, shuffled
from utility_annotation.settings import Pool

IDS = st.lists(st.text("abcdef", min_size=1, max_size=2), max_size=12)


def pool(path: Path, form: str = "tevatron", **settings: object) -> Pool:
    return Pool(dataset="d", source={"format": form, "path": str(path)}, **settings)


def outputs(folder: Path, shards: int = 1) -> list[Path]:
    return [folder / f"{name}.parquet" for name in shard_names(shards)]


def row(query_id: str, positives: list[str], negatives: list[str]) -> dict:
    def passages(docids: list[str]) -> list[dict]:
        return [{"docid": docid, "title": "", "text": f"text of {docid}"} for docid in docids]

    return {
        "query_id": query_id,
        "query": f"question {query_id}",
        "positive_passages": passages(positives),
        "negative_passages": passages(negatives),
    }


def id_row(query_id: str, positives: list[str], negatives: list[str]) -> dict:
    return {
        "query_id": query_id,
        "query_text": f"question {query_id}",
        "positive_document_ids": positives,
        "negative_document_ids": negatives,
    }


def write(path: Path, rows: list[dict]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(each) + b"\n" for each in rows))
    return path


def read(paths: list[Path]) -> dict[str, list[dict]]:
    return {each["query_id"]: each["candidates"] for path in paths for each in POOL.read(path).to_pylist()}


@given(positives=IDS, negatives=IDS, size=st.integers(2, 8))
def test_choice(positives: list[str], negatives: list[str], size: int) -> None:
    human, hard = choose(positives, negatives, size)
    assert len(set(human + hard)) == len(human + hard) == min(size, len(set(positives + negatives)))
    assert human == list(dict.fromkeys(positives))[: len(human)]
    assert hard == [docid for docid in dict.fromkeys(negatives) if docid not in positives][: len(hard)]
    if set(negatives) - set(positives):
        assert hard
        assert len(human) == min(len(set(positives)), size - 1)
    else:
        assert len(human) == min(len(set(positives)), size)


def test_shard_names_carry_their_total() -> None:
    assert shard_names(2) == ["0000-of-0002", "0001-of-0002"]
    assert shard_names(64)[3] == "0003-of-0064"
    assert len(set(shard_names(1024))) == 1024


def test_shards_are_stable_and_even() -> None:
    # these values must never change, or every pool's shards change with them
    assert [shard_of(query_id, 64) for query_id in ("0", "188714", "é")] == [53, 23, 47]
    sizes = [0] * 16
    for number in range(16_000):
        sizes[shard_of(str(number), 16)] += 1
    assert max(sizes) - min(sizes) < 200


def test_order_depends_on_seed_and_query_alone() -> None:
    assert shuffled("188714", 6, 42) == [2, 5, 1, 4, 3, 0]
    assert shuffled("188714", 31, 42) != shuffled("188714", 31, 43)
    assert shuffled("188714", 31, 42) != shuffled("188715", 31, 42)


def test_the_sources_order_is_kept_beside_the_shuffle(tmp_path: Path) -> None:
    positives, negatives = ["p2", "p1", "p3"], ["n9", "p1", "n1", "n5"]
    build_pool(pool(write(tmp_path / "a.jsonl", [row("q1", positives, negatives)]), size=31), outputs(tmp_path))
    candidates = read(outputs(tmp_path))["q1"]
    by_rank = sorted(candidates, key=lambda each: each["rank"])
    assert [each["docid"] for each in by_rank] == ["p2", "p1", "p3", "n9", "n1", "n5"]
    assert [each["rank"] for each in by_rank] == list(range(1, 7))
    assert candidates != by_rank


def test_a_blank_passage_is_a_candidate(tmp_path: Path) -> None:
    blank = {"docid": "blank", "title": " ", "text": " "}
    rows = [row("q1", ["p"], ["n"]), {**row("q2", ["p"], []), "negative_passages": [blank]}]
    build_pool(pool(write(tmp_path / "a.jsonl", rows), size=31), outputs(tmp_path))
    texts = {each["docid"]: (each["title"], each["text"]) for each in read(outputs(tmp_path))["q2"]}
    assert texts == {"p": (None, "text of p"), "blank": (None, "")}


def test_every_place_of_the_positive_is_equally_likely() -> None:
    places = [0] * 5
    for number in range(5000):
        places[shuffled(str(number), 5, 42).index(0)] += 1
    assert all(850 < count < 1150 for count in places)


@settings(max_examples=25)
@given(
    rows=st.dictionaries(
        st.text("0123456789", min_size=1, max_size=3), st.tuples(IDS.filter(bool), IDS), min_size=1, max_size=8
    ),
    shards=st.integers(1, 5),
    reverse=st.booleans(),
)
def test_pool_is_independent_of_file_order_and_shards(rows, shards, reverse, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("pool")
    lines = [row(query_id, *docids) for query_id, docids in rows.items()]
    build_pool(pool(write(folder / "a.jsonl", lines), size=6), outputs(folder / "one"))
    if reverse:
        lines.reverse()
    several = outputs(folder / "several", shards)
    assert build_pool(pool(write(folder / "b.jsonl", lines), size=6, shards=shards), several) == len(rows)
    found = read(several)
    assert found == read(outputs(folder / "one"))
    for index, path in enumerate(several):
        assert {shard_of(query_id, shards) for query_id in POOL.read(path)["query_id"].to_pylist()} <= {index}
    for query_id, (positives, negatives) in rows.items():
        human, hard = choose(positives, negatives, 6)
        assert sorted(each["docid"] for each in found[query_id]) == sorted(human + hard)
        for each in found[query_id]:
            assert each["human"] == (each["docid"] in human)
            assert each["text"] == f"text of {each['docid']}"
            assert each["title"] is None


def test_ids_with_a_corpus_give_the_same_pool(tmp_path: Path) -> None:
    rows = [("q1", ["a"], ["b", "c"]), ("q2", ["b", "c"], ["a", "b"]), ("q3", ["d"], [])]
    CORPUS.write(
        tmp_path / "corpus.parquet",
        CORPUS.table({"docid": list("dcba"), "title": [None] * 4, "text": [f"text of {docid}" for docid in "dcba"]}),
    )
    one, two = outputs(tmp_path / "one", 2), outputs(tmp_path / "two", 2)
    build_pool(pool(write(tmp_path / "1.jsonl", [row(*each) for each in rows]), shards=2), one)
    settings_of_ids = pool(write(tmp_path / "2.jsonl", [id_row(*each) for each in rows]), "tevatron-ids", shards=2)
    build_pool(settings_of_ids, two, tmp_path / "corpus.parquet")
    assert read(one) == read(two)
    assert sorted(path.name for path in (tmp_path / "two").iterdir()) == [path.name for path in two]


@pytest.mark.parametrize("form", ["tevatron", "tevatron-ids"])
@pytest.mark.parametrize("titles", [True, False])
def test_a_pool_holds_titles_whoever_reads_them(tmp_path: Path, form: str, titles: bool) -> None:
    CORPUS.write(
        tmp_path / "corpus.parquet",
        CORPUS.table({"docid": ["a", "b"], "title": ["A", None], "text": ["text of a", "text of b"]}),
    )
    carried = row("q1", ["a"], ["b"])
    carried["positive_passages"][0]["title"] = "A"
    source = write(tmp_path / "a.jsonl", [carried if form == "tevatron" else id_row("q1", ["a"], ["b"])])
    corpus = tmp_path / "corpus.parquet" if form == "tevatron-ids" else None
    build_pool(pool(source, form, titles=titles), outputs(tmp_path / "pool"), corpus)
    (candidates,) = read(outputs(tmp_path / "pool")).values()
    assert sorted((each["docid"], each["title"], each["text"]) for each in candidates) == [
        ("a", "A", "text of a"),
        ("b", None, "text of b"),
    ]


def test_dprs_training_json_makes_the_pool_of_the_same_rows(tmp_path: Path) -> None:
    def contexts(docids: str) -> list[dict]:
        return [{"psg_id": docid, "title": "", "text": f"text of {docid}"} for docid in docids]

    document = [
        {
            "question": "question 1",
            "positive_ctxs": contexts("ba"),
            "hard_negative_ctxs": contexts("dc"),
            "negative_ctxs": contexts("efcb"),
        },
        {"question": "question 2", "positive_ctxs": contexts("a"), "negative_ctxs": contexts("b")},
        {"question": "question 3", "positive_ctxs": [], "hard_negative_ctxs": contexts("ab")},
    ]
    (tmp_path / "dpr.json.gz").write_bytes(gzip.compress(orjson.dumps(document)))
    rows = [row("1", ["b", "a"], ["d", "c", "e", "f"]), row("2", ["a"], ["b"]), row("3", [], ["a", "b"])]
    build_pool(pool(tmp_path / "dpr.json.gz", "dpr", size=5, shards=2), outputs(tmp_path / "dpr", 2))
    build_pool(pool(write(tmp_path / "a.jsonl", rows), size=5, shards=2), outputs(tmp_path / "rows", 2))
    built = read(outputs(tmp_path / "dpr", 2))
    assert built == read(outputs(tmp_path / "rows", 2))
    ranks = {each["rank"]: (each["docid"], each["human"]) for each in built["1"]}
    assert ranks == {1: ("b", True), 2: ("a", True), 3: ("d", False), 4: ("c", False), 5: ("e", False)}


def test_a_bad_passage_of_dprs_is_named(tmp_path: Path) -> None:
    good = {"passage_id": "a", "title": "", "text": "text"}
    document = [{"question": "q", "positive_ctxs": [good]}, {"question": "q", "positive_ctxs": [good | {"text": 1}]}]
    (tmp_path / "dpr.json").write_bytes(orjson.dumps(document))
    with pytest.raises(InputError, match=r"dpr\.json, item 2: .*`text`"):
        build_pool(pool(tmp_path / "dpr.json", "dpr"), outputs(tmp_path / "pool"))
    assert not list((tmp_path / "pool").glob("*"))


def test_odd_queries_are_kept_and_counted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = [row("q1", [], ["a", "b"]), row("q2", ["a"], []), row("q3", ["a", "b", "c"], ["d"])]
    with caplog.at_level(logging.INFO):
        build_pool(pool(write(tmp_path / "a.jsonl", rows), size=3), outputs(tmp_path / "pool"))
    found = read(outputs(tmp_path / "pool"))
    assert {query_id: sum(each["human"] for each in candidates) for query_id, candidates in found.items()} == {
        "q1": 0,
        "q2": 1,
        "q3": 2,
    }
    for message in (
        "1 queries without a human positive",
        "1 queries without a negative",
        "2 queries with a smaller pool",
        "1 positives left out",
    ):
        assert message in caplog.text


def test_real_rows(shared_data: Path, tmp_path: Path) -> None:
    source = shared_data / "llm-relabel-rlhn" / "fiqa.stage_1.gpt-4o-mini.jsonl"
    assert build_pool(pool(source, size=8, shards=4), outputs(tmp_path, 4)) == 25
    originals = {each["query_id"]: each for each in map(orjson.loads, source.read_bytes().splitlines())}
    found = read(outputs(tmp_path, 4))
    assert found.keys() == originals.keys()
    for query_id, candidates in found.items():
        assert len(candidates) == 8
        published = {each["docid"]: each for each in originals[query_id]["positive_passages"]}
        human = [each for each in candidates if each["human"]]
        assert len(human) == min(len(published), 7)
        assert all(published[each["docid"]]["text"] == each["text"] for each in human)


def test_many_shards_and_little_memory_give_the_same_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write(tmp_path / "a.jsonl", [row(str(number), ["a"], ["b", "c"]) for number in range(200)])
    build_pool(pool(source), outputs(tmp_path / "one"))
    monkeypatch.setattr("utility_annotation.io.formats.lines._BLOCK_BYTES", 200)
    monkeypatch.setattr("utility_annotation.pools.build._SHARD_BYTES", 150)
    monkeypatch.setattr("utility_annotation.pools.build._ALL_BYTES", 900)
    build_pool(pool(source, shards=100), outputs(tmp_path / "many", 100))
    assert read(outputs(tmp_path / "many", 100)) == read(outputs(tmp_path / "one"))


ODD_TEXT = st.text(st.characters(codec="utf-8"), max_size=4) | st.sampled_from(
    [" ", "\u3000", "\x1c", "a\u2028b", "\0"]
)
ODD_PASSAGE = st.fixed_dictionaries(
    {"docid": st.sampled_from("abcdefgh"), "text": ODD_TEXT.filter(str.strip) | ODD_TEXT},
    optional={"title": ODD_TEXT | st.none(), "score": st.floats(0, 1)},
)
ODD_ROW = st.fixed_dictionaries(
    {
        "query_id": st.text("01", min_size=1, max_size=2) | st.integers(2, 9),
        "query": ODD_TEXT.filter(str.strip),
        "positive_passages": st.lists(ODD_PASSAGE, max_size=3),
        "negative_passages": st.lists(ODD_PASSAGE, max_size=4),
    }
)


@settings(max_examples=150)
@given(
    rows=st.lists(ODD_ROW, min_size=1, max_size=3),
    ending=st.sampled_from([b"", b"\n", b"\r\n", b"\n\n", b" ", b"[]", b"{}", b'{"query_id": 1}']),
)
def test_a_plain_block_gives_what_its_rows_give_one_by_one(rows, ending, tmp_path_factory) -> None:
    folder = tmp_path_factory.mktemp("pool")
    (folder / "a.jsonl").write_bytes(b"\n".join(map(orjson.dumps, rows)) + ending)
    settings = pool(folder / "a.jsonl", size=5, shards=2)

    def built(name: str) -> tuple[object, ...]:
        paths = outputs(folder / name, 2)
        try:
            return build_pool(settings, paths), *(POOL.read(path).to_pylist() for path in paths)
        except InputError as error:
            return (str(error),)

    at_once = built("at once")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tevatron, "read_plain_rows", lambda block: None)
        assert at_once == built("one by one")


def test_several_files_give_what_their_rows_give_in_one(tmp_path: Path) -> None:
    rows = [row("1", ["a"], ["b", "c"]), row("2", ["b"], ["a"])]
    for name in ("rows", "lines"):
        (tmp_path / name).mkdir()
    for number, each in enumerate(rows):
        pq.write_table(pa.Table.from_pylist([each]), tmp_path / "rows" / f"{number}.parquet")
        write(tmp_path / "lines" / f"{number}.jsonl", [each])
    made = []
    several = (tmp_path / "rows", tmp_path / "rows" / "*.parquet", tmp_path / "lines", tmp_path / "rows" / "0.parquet")
    for source in (write(tmp_path / "a.jsonl", rows), *several):
        paths = outputs(tmp_path / f"out-{len(made)}")
        build_pool(pool(source), paths)
        made.append(read(paths))
    assert made[:-1] == [made[0]] * 4
    assert made[-1] == {"1": made[0]["1"]}


def test_plain_rows_are_read_at_once_and_no_others() -> None:
    plain = orjson.dumps(row("1", ["a"], ["b"]))
    table = tevatron.read_plain_rows(plain + b"\n" + plain)
    assert table is not None
    assert table["negative_passages"].to_pylist()[1][0]["text"] == "text of b"
    blanks = [character for character in map(chr, range(0x110000)) if character.isspace()]
    for blank in blanks:
        for bad in (row("1", ["a"], [blank]), row("1", ["a"], [f"b{blank}c"]), row(f"1{blank}2", ["a"], ["b"])):
            assert tevatron.read_plain_rows(orjson.dumps(bad)) is None, f"U+{ord(blank):04X}"
    for unlike in (
        plain[:-1] + b', "score": NaN}',
        plain.replace(b'"query"', b'"query_id": "2", "query"'),
        plain.replace(b"text of a", b"\xff"),
        plain.replace(b"text of a", b"\\ud800"),
        plain + plain,
        plain + b"\n\n" + plain,
    ):
        assert tevatron.read_plain_rows(unlike) is None, unlike


def lines(*rows: dict) -> bytes:
    return b"".join(orjson.dumps(each) + b"\n" for each in rows)


GOOD = row("q1", ["a"], ["b"])
BAD = [
    (lines(GOOD, row("q2", ["a"], ["b"]), GOOD), 3, "query 'q1' stands here and already on line 1"),
    (lines(GOOD, row("q2", [], [])), 2, "neither a positive nor a negative"),
    (lines(GOOD, {**row("q2", ["a"], []), "query": ""}), 2, "`query` is empty"),
    (lines(GOOD, {**row("q2", ["a"], []), "negative_passages": None}), 2, "`negative_passages` is missing"),
    (lines(GOOD, {**row("q2", ["a"], []), "negative_passages": [{"docid": "1"}]}), 2, "`text` is missing"),
    (lines(GOOD) + b'{"query_id": "q2"\n', 2, "this is not JSON"),
    (lines(GOOD) + b"[]\n", 2, "a list and not an object"),
    (lines(GOOD) + lines(row("q2", ["a"], [])).replace(b"text of a", b"text of \xff"), 2, "byte 0xff"),
    (gzip.compress(lines(*(row(str(n), ["a"], ["b"]) for n in range(999))), mtime=0)[:-20], None, "cut short"),
    (b"", None, "no training row"),
]


@pytest.mark.parametrize(("content", "line", "problem"), BAD)
def test_bad_input(tmp_path: Path, content: bytes, line: int | None, problem: str) -> None:
    (tmp_path / "train.jsonl").write_bytes(content)
    place = rf"train\.jsonl, line {line}: " if line else r"train\.jsonl"
    with pytest.raises(InputError, match=rf"{place}.*{problem}.*Fix: "):
        build_pool(pool(tmp_path / "train.jsonl", shards=3), outputs(tmp_path / "pool", 3))
    assert list((tmp_path / "pool").iterdir()) == []


def test_a_docid_that_the_corpus_lacks(tmp_path: Path) -> None:
    CORPUS.write(tmp_path / "corpus.parquet", CORPUS.table({"docid": ["a"], "title": [None], "text": ["x"]}))
    source = write(tmp_path / "train.jsonl", [id_row("q1", ["a"], []), id_row("q2", ["a"], ["b"])])
    with pytest.raises(InputError, match=r"train\.jsonl, line 2: passage 'b' is not in the corpus"):
        build_pool(pool(source, "tevatron-ids"), outputs(tmp_path / "pool"), tmp_path / "corpus.parquet")
    assert list((tmp_path / "pool").iterdir()) == []


@pytest.mark.parametrize(
    ("form", "names", "corpus", "problem"),
    [
        ("tevatron", ["0000-of-0002"], None, "has 2 shards"),
        ("tevatron", ["0001-of-0002", "0000-of-0002"], None, "has 2 shards"),
        ("tevatron-ids", ["0000-of-0002", "0001-of-0002"], None, "holds ids only"),
        ("tevatron", ["0000-of-0002", "0001-of-0002"], "corpus.parquet", "carries its passages"),
    ],
)
def test_arguments_that_do_not_go_together(tmp_path: Path, form: str, names: list, corpus: str | None, problem) -> None:
    paths = [tmp_path / f"{name}.parquet" for name in names]
    with pytest.raises(InputError, match=problem):
        build_pool(pool(tmp_path / "a.jsonl", form, shards=2), paths, corpus and tmp_path / corpus)


def test_a_pool_whose_negatives_are_not_mined_yet(tmp_path: Path) -> None:
    settings_of_mined = Pool(dataset="d", source={"format": "retrieved", "testset": "t"})
    with pytest.raises(InputError, match="mine its negatives first"):
        build_pool(settings_of_mined, outputs(tmp_path))


def test_script(tmp_path: Path) -> None:
    source = write(tmp_path / "a.jsonl", [GOOD])
    published = {"dataset": "data", "source": {"path": str(source)}, "shards": 2}
    config = write_configuration(tmp_path / "config.yaml", pools={"published": published})
    script.main(arguments("build", config=config, pool="published", corpus=[], output=tmp_path / "pool"))
    assert list(read(outputs(tmp_path / "pool", 2))) == ["q1"]
