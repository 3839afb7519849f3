"""What a person sees of a run: its lines, when they come, and what stays as Snakemake has it."""

from __future__ import annotations

import io
import logging
import re
import sys
import time
from collections import Counter
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from snakemake.common import NOTHING_TO_BE_DONE_MSG
from snakemake.logging import ColorizingTextHandler
from snakemake.scheduling import job_scheduler
from snakemake_interface_logger_plugins.common import LogEvent
from terminal import run_on_terminal
from workflow_copy import copy_of_repository, snakemake

from utility_annotation.planning.resources import REQUESTS
from utility_annotation.running import console, results_text
from utility_annotation.running.run_state import (
    STAGES,
    Run,
    failure_line,
    plan_line,
    stage_line,
    status_line,
    stop_line,
)

TABLE = """## Retrieval

| backbone | run | demo<br>MRR@10 |
| --- | --- | ---: |
| minilm | *ours* |  |
|  | human | **64.2**<sup>+†</sup><br><small>63.0 (+1.2)</small> |
|  | replug | <ins>6.0</ins> |
|  | a\\|b | 5.0<sup>−</sup> |

- Bold is best and underlined second best; bold counts.
"""


def run_of(**planned: int) -> Run:
    """A run that begins at 0."""
    return Run(0.0, Counter(planned))


# --- How far a run is -----


def test_the_plan_names_stages_in_the_order_of_the_work() -> None:
    run = run_of(train=1, ingest_corpus=1, build_pool_x=1, ingest_qrels=2, something_else=1)
    assert plan_line(run) == "6 jobs to do: read data 3, build pools 1, train 1, something else 1"


def test_a_stage_is_done_with_the_last_of_its_jobs() -> None:
    run = run_of(ingest_corpus=1, ingest_qrels=1, train=1)
    run.start(1, "ingest_corpus", 0.0)
    run.start(2, "ingest_qrels", 1.0)
    assert run.finish(1, 2.0) is None
    assert run.finish(2, 5.0) == "read data"
    assert stage_line(run, "read data", 5.0) == "[2 of 3] 0:00:05  read data: done (2 jobs)"


def test_the_status_names_the_stages_at_work_and_the_time_left() -> None:
    run = run_of(train=12)
    run.start(1, "train", 0.0)
    assert status_line(run, 5.0) == "[ 0 of 12] 0:00:05  now: train 0 of 12"
    run.finish(1, 10.0)
    run.start(2, "train", 10.0)
    assert status_line(run, 14.0) == "[ 1 of 12] 0:00:14  now: train 1 of 12; about 0:01:46 left"


def test_jobs_side_by_side_take_less_time() -> None:
    run = run_of(train=6)
    for job in (1, 2):
        run.start(job, "train", 0.0)
    for job in (1, 2):
        run.finish(job, 10.0)
    assert run.seconds_left(10.0) == (20.0, True)


def test_the_time_left_is_a_minimum_while_a_rule_has_no_finished_job() -> None:
    run = run_of(train=2, encode=1)
    run.start(1, "train", 0.0)
    run.finish(1, 10.0)
    assert run.seconds_left(10.0) == (10.0, False)
    assert status_line(run, 10.0).endswith("waiting; at least 0:00:10 left")


def test_a_job_that_failed_may_run_again() -> None:
    run = run_of(train=2)
    run.start(1, "train", 0.0)
    run.fail(1)
    assert stop_line(run, 60.0) == "stopped after 0:01:00: 0 of 2 jobs done, 1 failed, 1 not tried"
    run.start(1, "train", 60.0)
    run.finish(1, 70.0)
    assert stop_line(run, 70.0) == "stopped after 0:01:10: 1 of 2 jobs done, 0 failed, 1 not tried"


def test_jobs_that_were_not_planned_are_not_counted() -> None:
    run = run_of(train=1)
    run.start(7, "all", 0.0)
    assert run.finish(7, 1.0) is None
    assert run.done.total() == 0


def test_a_failure_names_the_log() -> None:
    line = failure_line("train", ["results/models/m/human"], ["logs/train/m-human.log"])
    assert line == "failed: train of results/models/m/human; log: logs/train/m-human.log"
    assert failure_line("train", [], [], cancelled=True) == "cancelled: train"


def test_every_name_of_a_stage_is_that_of_a_rule() -> None:
    """The rules of pools, one a pool, share an entry of the table of requests."""
    for names in STAGES.values():
        for name in names:
            assert any(f"{rule}_".startswith(name) for rule in REQUESTS), name


# --- The results -----


def test_a_table_file_becomes_plain_text() -> None:
    assert results_text.plain_tables(TABLE, 40) == [
        "Retrieval",
        "",
        "backbone  run            demo",
        "                       MRR@10",
        "--------  ------  --------------",
        "minilm    ours",
        "          human          64.2*+†",
        "                  63.0 (+1.2)",
        "          replug          6.0_",
        "          a|b             5.0−",
        "",
        "  Bold is best and underlined (_) second",
        "  best; bold (*) counts.",
    ]


def test_the_end_shows_the_tables_that_were_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("one", "two"):
        file = Path(f"results/tables/{name}.md")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(TABLE.replace("Retrieval", name))
    asked = ["results/tables/one.md", results_text.REPORT, "results/figures/one.svg"]
    lines = results_text.closing_lines(asked, ["one", "two"], log="x.log", width=100, configurations=["my.yaml"])
    assert "one" in lines
    assert "two" not in lines
    assert "report:  results/report.html" in lines
    assert "log:     x.log" in lines
    assert any(line.startswith("  snakemake -n --configfile my.yaml ") for line in lines)
    narrow = results_text.closing_lines(asked, ["one"], log="x.log", width=20)
    assert "one" not in narrow
    assert any(line.endswith("not shown here: 1") for line in narrow)


def test_the_verdict_comes_before_the_tables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for file, text in {"tables/own.md": "## Own\n", "verdicts/own.md": "Training gained 3.1 points. " * 9}.items():
        Path("results", file).parent.mkdir(parents=True)
        Path("results", file).write_text(text)
    asked = ["results/verdicts/own.md", "results/tables/own.md", "results/report.html"]
    lines = results_text.closing_lines(asked, ["own"], log="x.log", width=60)
    assert lines[1].startswith("Training gained 3.1 points.")
    assert max(map(len, lines[1 : lines.index("Own")])) <= 60
    assert not any("verdicts" in line for line in lines)


def test_without_a_report_what_was_made_is_named() -> None:
    few = results_text.closing_lines(["data/a", "data/b"], [], log="x", width=80)
    assert "made:    data/a, data/b" in few
    many = results_text.closing_lines([f"data/{number}" for number in range(9)], [], log="x", width=80)
    assert "made:    data/0, data/1, data/2, data/3, data/4 and 4 more" in many


# --- Snakemake's records -----


class _Session:
    """A console without Snakemake's workflow."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> None:
        self.stream = io.StringIO()
        self.logger = logging.Logger("snakemake")
        self.logger.addHandler(ColorizingTextHandler(nocolor=True, stream=self.stream))
        monkeypatch.setattr(console, "logger", self.logger)
        usual = {"verbose": False, "printshellcmds": False, "debug_dag": False, "quiet": None, "dryrun": False}
        workflow = SimpleNamespace(
            output_settings=SimpleNamespace(**{**usual, **settings}),
            is_main_process=settings.get("main", True),
            local_exec=settings.get("local", True),
            logger_manager=SimpleNamespace(get_logfile=lambda: ["snakemake.log"]),
            rules=[SimpleNamespace(name="all", output=[]), SimpleNamespace(name="train", output=["x"])],
            dag=SimpleNamespace(targetjobs=[]),
            config_settings=SimpleNamespace(configfiles=[]),
        )
        self.console = console.attach(workflow, [])

    def say(self, text: str | None, event: LogEvent | None = None, level: int = logging.INFO, **facts: Any) -> None:
        """Log as Snakemake does."""
        self.logger.log(level, text, extra={"event": event, **facts} if event else None)

    def begin(self, jobs: int = 2) -> None:
        """Log what Snakemake says before the first job."""
        self.say("Assuming unrestricted shared filesystem usage.")
        self.say("Workflow has started!", LogEvent.WORKFLOW_STARTED)
        self.say("Building DAG of jobs...")
        self.say("Job stats: …", LogEvent.RUN_INFO, stats={"all": 1, "train": jobs, "total": jobs + 1})

    def shown(self) -> list[str]:
        """The lines until now."""
        return self.stream.getvalue().splitlines()


def test_jobs_that_finish_soon_get_one_line_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    session = _Session(monkeypatch)
    session.begin(jobs=100)
    for job in range(100):
        session.say(" Rule: train", LogEvent.JOB_INFO, jobid=job, rule_name="train")
        session.say("Shell command: …", LogEvent.SHELLCMD)
        session.say("Finished jobid", LogEvent.JOB_FINISHED, job_id=job)
    first, plan, log, done = session.shown()
    assert first == "Assuming unrestricted shared filesystem usage."
    assert plan == "100 jobs to do: train 100"
    assert log == "all that Snakemake says: snakemake.log; what a job says: logs/"
    assert done == "[100 of 100] 0:00:00  train: done (100 jobs)"
    session.logger.handlers[1].close()


def test_the_status_is_told_again_and_again_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "_SECONDS_BETWEEN_LINES", 0.01)
    session = _Session(monkeypatch)
    session.begin()
    session.say(" Rule: train", LogEvent.JOB_INFO, jobid=1, rule_name="train")
    status, end = "[0 of 2] 0:00:00  now: train 0 of 2", time.monotonic() + 10
    while session.shown().count(status) < 2 and time.monotonic() < end:
        time.sleep(0.01)
    session.logger.handlers[1].close()
    assert session.shown().count(status) >= 2


def test_a_failure_is_told_with_its_log_and_not_with_its_command(monkeypatch: pytest.MonkeyPatch) -> None:
    session = _Session(monkeypatch)
    session.begin()
    session.say(" Rule: train", LogEvent.JOB_INFO, jobid=1, rule_name="train")
    words = "RuleException:\nCalledProcessError in file …\nCommand 'set -euo pipefail; …'"
    session.say(words, LogEvent.ERROR, logging.ERROR, exception="RuleException")
    facts = {"jobid": 1, "rule_name": "train", "output": ["m"], "log": ["logs/m.log"]}
    session.say("Error in rule train", LogEvent.JOB_ERROR, logging.ERROR, **facts)
    for _ in range(2):
        session.say("a warning", level=logging.WARNING)
    session.say(job_scheduler._ERROR_MSG_FINAL, level=logging.ERROR)
    session.say("What failed, and why:\nlogs/m.log: error: no", level=logging.ERROR)
    session.say("WorkflowError:\nAt least one job did not complete successfully.", LogEvent.ERROR, logging.ERROR)
    assert session.shown()[3:] == [
        "failed: train of m; log: logs/m.log",
        "a warning",
        "stopped after 0:00:00: 0 of 2 jobs done, 1 failed, 1 not tried",
        "all that Snakemake says: snakemake.log",
        "What failed, and why:",
        "logs/m.log: error: no",
    ]


def test_a_group_that_fails_on_a_cluster_is_told_with_the_cluster_s_log(monkeypatch: pytest.MonkeyPatch) -> None:
    session = _Session(monkeypatch, local=False)
    session.begin()
    for job in (1, 2):
        session.say(" Rule: train", LogEvent.JOB_INFO, jobid=job, rule_name="train", indent=True)
    facts: dict[str, Any] = {"groupid": "g", "aux_logs": ["logs/slurm/7.log"], "job_error_info": []}
    session.say("Error in group g", LogEvent.GROUP_ERROR, logging.ERROR, **facts)
    for job in (1, 2):
        member = {"jobid": job, "rule_name": "train", "output": [f"m{job}"], "log": []}
        session.say("Error in rule train", LogEvent.JOB_ERROR, logging.ERROR, **member)
    assert session.shown()[4:] == [
        "failed: jobs that were submitted together; log: logs/slurm/7.log",
        "failed: train of m1",
        "failed: train of m2",
    ]


def test_where_nothing_is_to_be_done_the_results_are_shown_all_the_same(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    session = _Session(monkeypatch)
    session.say("Workflow has started!", LogEvent.WORKFLOW_STARTED)
    session.say(NOTHING_TO_BE_DONE_MSG)
    assert session.shown() == [NOTHING_TO_BE_DONE_MSG]
    assert "How to go on:" in capsys.readouterr().out


def test_results_that_cannot_be_shown_are_no_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("no table")

    session = _Session(monkeypatch)
    session.begin()
    monkeypatch.setattr(console, "tell_results", fail)
    session.console.succeed()  # type: ignore[union-attr]
    assert session.shown()[-1] == "the results cannot be shown: ValueError('no table')"


def test_a_run_of_make_says_how_the_shell_finds_the_programs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAKELEVEL", "1")
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    session = _Session(monkeypatch)
    session.begin()
    session.console.succeed()  # type: ignore[union-attr]
    assert re.search(r"^  \. \S+/bin/activate +# once in each shell$", capsys.readouterr().out, re.MULTILINE)


def test_a_run_on_a_cluster_says_that_jobs_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    session = _Session(monkeypatch, local=False)
    session.begin()
    assert "jobs wait in the queue of the cluster first" in session.shown()[-1]


@pytest.mark.parametrize(
    "settings",
    [{"verbose": True}, {"printshellcmds": True}, {"debug_dag": True}, {"quiet": {"host"}}, {"dryrun": True}],
)
def test_snakemake_shows_its_own_messages_where_it_is_asked_to(
    monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any]
) -> None:
    assert _Session(monkeypatch, **settings).console is None


def test_a_job_s_process_draws_no_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _Session(monkeypatch, main=False).console is None


def test_another_logger_of_snakemake_s_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    session = _Session(monkeypatch)
    session.logger.handlers.clear()
    assert console.attach(session.console._workflow, []) is None  # type: ignore[union-attr]


def test_what_the_console_knows_of_snakemake_s_words_holds() -> None:
    """Where one of these fails, Snakemake says it in other words, and `console.py` must follow."""
    sources = [Path(job_scheduler.__file__), Path(job_scheduler.__file__).parents[1] / "workflow.py"]
    text = "\n".join(source.read_text("utf-8") for source in sources)
    for words in (*console.ENDS_WITH_FAILURES, console.CANCELLED):
        assert words in text


# --- Real runs -----


@pytest.mark.snakemake
def test_a_run_on_a_terminal(root: Path, tmp_path: Path) -> None:
    folder = copy_of_repository(root, tmp_path)
    command = [sys.executable, "-m", "snakemake", "--cores", "1", "data/demo/corpus.parquet"]
    ended, shown = run_on_terminal(command, folder=folder)
    assert ended == 0, shown
    assert "1 job to do: read data 1" in shown
    assert "[1 of 1]" in shown
    assert "made:    data/demo/corpus.parquet" in shown
    assert "Building DAG of jobs" not in shown
    (log,) = (folder / ".snakemake" / "log").iterdir()
    assert "Building DAG of jobs" in log.read_text()
    assert "localrule ingest_corpus:" in log.read_text() or "rule ingest_corpus:" in log.read_text()


@pytest.mark.snakemake
def test_a_run_that_fails_into_a_file(root: Path, tmp_path: Path) -> None:
    folder = copy_of_repository(root, tmp_path)
    (folder / "resources" / "demo" / "beir" / "corpus.jsonl").write_text("{")
    result = snakemake(folder, "--cores", "1", "data/demo/corpus.parquet")
    assert result.returncode == 1
    assert "\x1b" not in result.stderr
    assert "failed: ingest_corpus of data/demo/corpus.parquet; log: logs/ingest_corpus/demo.log\n" in result.stderr
    assert "stopped after 0:00:0" in result.stderr
    assert "CalledProcessError" not in result.stderr
    assert "logs/ingest_corpus/demo.log: error: " in result.stderr.splitlines()[-1]
