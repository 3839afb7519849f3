"""Ours and its peers give the same results; what is unlike is noticed; the page is what the records say."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

pytestmark = pytest.mark.process

SIZES = {
    "pool": 300,
    "labels": 300,
    "prompts": 20,
    "training": 1,
    "training-lora": 0,
    "training-reranker": 0,
    "encoding": 60,
    "encoding-decoder": 12,
    "reranking": 1,
    "search": 2_000,
    "evaluation": 40,
}
LLMS = {"prompts": "smollm2", "training-lora": "tiny_model", "encoding-decoder": "tiny_model"}
"""The LLM of each, as a fixture; with the demo's own, a step of LoRA takes a minute."""


def write(program: Path, text: str) -> Path:
    program.write_text(text)
    return program


@pytest.fixture
def comparison(tmp_path: Path) -> Any:
    """Ours writes the size and takes no time; the peer does the same, and says that it took four times as long."""
    module = importlib.import_module("comparison")
    says = "import json, sys; open(sys.argv[2], 'w').write(open(sys.argv[1] + '/size').read()); print(json.dumps({}))"
    ours = write(tmp_path / "ours.py", says.format("{'work_seconds': 0.5, 'tokens': 7}"))
    peer = write(tmp_path / "peer.py", says.format("{'work_seconds': 2.0}"))
    return module.Comparison(
        name="example",
        title="An example",
        text="Nothing much.",
        unit="rows",
        sizes=(10, 100),
        generate=lambda folder, size: (folder / "size").write_text(str(size)),
        ours=lambda source, output: [sys.executable, ours, source, output],
        peers=(module.Peer("other", lambda source, output: [sys.executable, peer, source, output], reach=3),),
        suffix=".json",
        packages=("numpy",),
        time="work_seconds",
        memory=0.5,
    )


@pytest.mark.parametrize("name", SIZES)
def test_ours_and_its_peers_give_the_same_result(
    name: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The peers are sentence-transformers, faiss, pytrec_eval, datasets, transformers and plain loops."""
    comparisons = importlib.import_module("comparisons")
    if name in LLMS:
        llm = request.getfixturevalue(LLMS[name])
        monkeypatch.setattr(comparisons, "model_folder", {comparisons.LLM: llm}.__getitem__)
    found = {each.name: each for each in comparisons.COMPARISONS}
    found[name].check(SIZES[name])


def test_the_median_of_the_rounds_ratios(comparison: Any) -> None:
    record = comparison.measure(2)
    assert [size["rows"] for size in record["sizes"]] == [10, 100]
    assert record["sizes"][1]["tokens"] == 7
    assert comparison.ratio(record, comparison.peers[0]) == {"median": 4, "least": 4, "greatest": 4}


def test_a_whole_size_is_measured_once_and_of_ours_alone(
    comparison: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, page = (importlib.import_module(name) for name in ("bench", "page"))
    whole = replace(comparison, whole=1_000)
    monkeypatch.setattr(bench.measure, "RESULTS", tmp_path)
    monkeypatch.setitem(bench.BENCHMARKS, "example", bench.Benchmark(whole.measure, str, whole.measure_whole))
    bench._measure("example", 1, whole_only=False)
    record = json.loads((tmp_path / "example.json").read_text())
    assert (record["whole"]["rows"], record["whole"]["tokens"]) == (1_000, 7)
    assert set(record["whole"]["ours"]) == set(record["sizes"][0]["ours"])
    assert "Ours alone, once, on 1,000 rows: 0.50 s" in page.comparison_section(whole, record)
    (tmp_path / "example.json").write_text(json.dumps(record | {"whole": "an earlier one"}))
    bench._measure("example", 1, whole_only=True)
    again = json.loads((tmp_path / "example.json").read_text())
    assert again["sizes"] == record["sizes"]
    assert again["whole"]["rows"] == 1_000


def test_a_record_of_another_processor_is_kept_beside(
    comparison: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench, page = (importlib.import_module(name) for name in ("bench", "page"))
    monkeypatch.setattr(bench.measure, "RESULTS", tmp_path)
    monkeypatch.setattr(page, "COMPARISONS", (comparison,))
    whole = replace(comparison, whole=1_000)
    section = bench.partial(page.comparison_section, whole)
    monkeypatch.setattr(bench, "BENCHMARKS", {"example": bench.Benchmark(whole.measure, section, whole.measure_whole)})
    bench._measure("example", 1, whole_only=False)
    path = tmp_path / "example.json"
    earlier = json.loads(path.read_text())
    earlier["machine"]["processor"] = "Another"
    path.write_text(json.dumps(earlier))
    with pytest.raises(SystemExit):
        bench.main(["--whole", "example"])
    for _ in range(2):  # the second takes the place of the first
        bench._measure("example", 1, whole_only=False)
        latest, other = bench.measure.records(path)
        assert other == earlier
        assert latest["machine"]["processor"] == bench.measure.machine()["processor"]
    text = bench.whole_page()
    rows = [line.split(" | ")[2] for line in text.splitlines() if line.startswith("| [An example]")]
    assert rows == [latest["machine"]["processor"], "Another"]
    assert text.count("Nothing much.") == text.count("\n## An example") == text.count("\n### On Another") == 1
    assert text.count("\n| 100 | ") == 2


def test_another_result_ends_the_measurement(comparison: Any, tmp_path: Path) -> None:
    write(tmp_path / "peer.py", "import sys; open(sys.argv[2], 'w').write('11')")
    with pytest.raises(SystemExit, match="example: ours and other do not give the same result: the files differ"):
        comparison.measure(1)


def test_a_program_that_fails_shows_what_it_wrote(comparison: Any, tmp_path: Path) -> None:
    write(tmp_path / "peer.py", "raise SystemExit('no such luck')")
    with pytest.raises(SystemExit, match=r"(?s)exit code 1.*no such luck"):
        comparison.measure(1)


def test_the_page_marks_what_is_reached_and_what_is_missed(comparison: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    page = importlib.import_module("page")
    monkeypatch.setattr(page, "COMPARISONS", (comparison,))
    record = {"measured": "2026-01-01", "commit": "abc", **comparison.measure(1)}
    for size, peak in zip(record["sizes"], (10, 100), strict=True):
        size["ours"] |= {"peak_megabytes": peak, "work_seconds": {"median": float(peak)}}
        size["peers"]["other"]["peak_megabytes"] = 100
    record["machine"]["processor"] = "A processor"
    (row,) = page.summary({"example": [record]}).splitlines()[4:]
    assert row == (
        "| [An example](#an-example) | other | A processor | 100 rows | 4.00 (4.00–4.00) | 1.00 | 3 ✓; memory 0.5 ✗ |"
    )
    section = page.comparison_section(comparison, record)
    assert "| rows | ours, s | other, s |" in section
    assert "with the power 1.00 of the size" in section
    assert "Measured 2026-01-01 of abc" in section


def test_the_page_is_made_of_the_records(root: Path) -> None:
    bench = importlib.import_module("bench")
    assert (root / "benchmarks" / "RESULTS.md").read_text(encoding="utf-8") == bench.whole_page()


def test_every_record_is_of_a_measurement(root: Path) -> None:
    """No record stays behind that nothing makes or shows any more."""
    bench = importlib.import_module("bench")
    records = {path.stem for path in (root / "benchmarks" / "results").glob("*.json")}
    scripts = "".join(path.read_text(encoding="utf-8") for path in (root / "benchmarks").glob("*.py"))
    assert not [name for name in records - {*bench.BENCHMARKS} if f'RESULTS / "{name}.json"' not in scripts]


@pytest.mark.process
@pytest.mark.parametrize(
    ("mine", "theirs", "found"),
    [
        ({"a": ["x"]}, {"a": ["x"]}, ""),
        ({"a": ["x"]}, {"a": ["y"]}, "differ"),
        ({"a": ["x"]}, {"b": ["x"]}, "columns"),
        (
            {"query_id": ["1", "2"], "metric": ["m"] * 2, "value": [0.5, 1]},
            {"query_id": ["2", "1"], "metric": ["m"] * 2, "value": [1, 0.5]},
            "",
        ),
        (
            {"query_id": ["1"], "metric": ["m"], "value": [0.5]},
            {"query_id": ["1"], "metric": ["m"], "value": [0.51]},
            "value differs by 0.01",
        ),
        (
            {"query_id": ["1"], "docid": ["a"], "rank": [1], "score": [1.0]},
            {"query_id": ["1"], "docid": ["b"], "rank": [1], "score": [1.0]},
            "1 passages are in one run only",
        ),
        (
            {"query_id": ["1", "1"], "docid": ["a", "b"], "rank": [1, 2], "score": [1.0, 0.5]},
            {"query_id": ["1", "1"], "docid": ["b", "a"], "rank": [1, 2], "score": [1.0, 0.5]},
            "score differs by 0.5",
        ),
    ],
)
def test_what_is_unlike_is_noticed(mine: dict, theirs: dict, found: str, root: Path, tmp_path: Path) -> None:
    for name, columns in (("mine", mine), ("theirs", theirs)):
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    command = [sys.executable, root / "benchmarks" / "same.py", tmp_path / "mine.parquet", tmp_path / "theirs.parquet"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    assert found in printed
    assert bool(printed) == bool(found)


def test_what_has_nothing_of_ours_alone_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        importlib.import_module("bench").main(["--whole", "plans"])
    assert stopped.value.code == 2
    assert "plans has nothing that is measured of ours alone" in capsys.readouterr().err


def test_an_unknown_name_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        importlib.import_module("bench").main(["serch"])
    assert stopped.value.code == 2
    assert "there is no benchmark serch; there are pool, labels" in capsys.readouterr().err
