"""How far a run is, by stages with names for people, and the lines that say so; nothing here knows Snakemake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

STAGES: Mapping[str, tuple[str, ...]] = {
    "fetch files and models": ("fetch", "unpack", "prepare_model"),
    "read data": ("ingest_",),
    "build pools": ("find_duplicates", "mine_negatives", "build_pool_", "divide_pool_", "sample_passages_"),
    "make questions": ("read_questions", "collect_questions", "keep_questions"),
    "annotate": ("annotate_",),
    "make labels": ("merge_labels", "label_quality", "label_agreement", "grade_agreement"),
    "train": ("train",),
    "retrieve": ("bm25_", "encode", "search", "rerank", "read_external_run"),
    "select": ("score_pool", "calibrate", "select"),
    "answer questions": ("generate_answers", "evaluate_answers"),
    "evaluate": (
        "merge_qrels",
        "match_answers",
        "find_training_copies",
        "judge_agreement",
        "evaluate",
        "average_metrics",
    ),
    "make tables": ("results_table", "label_table", "cost_table"),
    "make report": ("plot_", "sample_annotations", "annotation_cost", "compare_", "write_"),
    "export": ("export_",),
}
"""How the names of each stage's rules begin; the first stage that fits counts."""


def stage_of(rule: str) -> str:
    """The stage of a rule; a rule of no stage is its own."""
    return next((stage for stage, names in STAGES.items() if rule.startswith(names)), rule.replace("_", " "))


@dataclass
class Run:
    """How far a run is. Times are seconds on any one clock."""

    begun: float
    planned: Counter[str]
    """Jobs by rule."""
    done: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    """What the finished jobs took together, by rule."""
    running: dict[int, tuple[str, float]] = field(default_factory=dict)
    """Rule and start of each job."""
    failed: dict[int, str] = field(default_factory=dict)
    """Rule of each job that failed and that does not run again."""

    def start(self, job: int, rule: str, now: float) -> None:
        """A job starts, maybe again."""
        if rule in self.planned:
            self.failed.pop(job, None)
            self.running[job] = rule, now

    def finish(self, job: int, now: float) -> str | None:
        """A job ends well. Returns its stage where the stage is done now."""
        if job not in self.running:
            return None
        rule, start = self.running.pop(job)
        self.done[rule] += 1
        self.seconds[rule] = self.seconds.get(rule, 0.0) + now - start
        stage = stage_of(rule)
        done, planned = self.of_stage(stage)
        return stage if done == planned else None

    def fail(self, job: int) -> None:
        """A job fails."""
        if job in self.running:
            self.failed[job] = self.running.pop(job)[0]

    def of_stage(self, stage: str) -> tuple[int, int]:
        """Jobs of a stage that are done, and that are planned."""
        rules = [rule for rule in self.planned if stage_of(rule) == stage]
        return sum(self.done[rule] for rule in rules), sum(self.planned[rule] for rule in rules)

    def stages(self, rules: Iterable[str]) -> list[str]:
        """The stages of some rules, in their usual order."""
        wanted = set(map(stage_of, rules))
        return [stage for stage in dict.fromkeys((*STAGES, *map(stage_of, self.planned))) if stage in wanted]

    def seconds_left(self, now: float) -> tuple[float, bool]:
        """How long it takes yet, and whether that covers every rule.

        A job takes as long as the finished ones of its rule on average, and as many run side by side as until now.
        """
        left = self.planned - self.done - Counter(self.failed.values())
        means = {rule: seconds / self.done[rule] for rule, seconds in self.seconds.items()}
        spent = [(means.get(rule, 0.0), now - start) for rule, start in self.running.values()]
        work = sum(means.get(rule, 0.0) * number for rule, number in left.items()) - sum(map(min, spent))
        busy = sum(self.seconds.values()) + sum(seconds for _, seconds in spent)
        return work / max(1.0, busy / max(now - self.begun, 1e-9)), left.keys() <= means.keys()


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    return str(timedelta(seconds=round(seconds)))


def jobs(number: int) -> str:
    """A number of jobs in words."""
    return f"{number:,} job{'' if number == 1 else 's'}"


def plan_line(run: Run) -> str:
    """What is to be done, by stage."""
    stages = (f"{stage} {run.of_stage(stage)[1]:,}" for stage in run.stages(run.planned))
    return f"{jobs(run.planned.total())} to do: {', '.join(stages)}"


def status_line(run: Run, now: float) -> str:
    """How far the run and its active stages are, and how long it takes yet."""
    active = run.stages(rule for rule, _ in run.running.values())
    parts = ["{} {:,} of {:,}".format(stage, *run.of_stage(stage)) for stage in active]
    text = f"{_how_far(run, now)}  " + (f"now: {', '.join(parts)}" if parts else "waiting")
    seconds, complete = run.seconds_left(now)
    return f"{text}; {'about' if complete else 'at least'} {clock(seconds)} left" if round(seconds) else text


def stage_line(run: Run, stage: str, now: float) -> str:
    """A stage is done."""
    return f"{_how_far(run, now)}  {stage}: done ({jobs(run.of_stage(stage)[1])})"


def failure_line(rule: str, output: Sequence[str], logs: Sequence[str], cancelled: bool = False) -> str:
    """A job failed, or ends because the user wants so."""
    made = f" of {output[0]}" if output else ""
    return f"{'cancelled' if cancelled else 'failed'}: {rule}{made}" + (f"; log: {', '.join(logs)}" if logs else "")


def stop_line(run: Run, now: float) -> str:
    """The run ends with failures."""
    left = run.planned.total() - run.done.total() - len(run.failed)
    return (
        f"stopped after {clock(now - run.begun)}: {run.done.total():,} of {jobs(run.planned.total())} done, "
        f"{len(run.failed):,} failed, {left:,} not tried"
    )


def _how_far(run: Run, now: float) -> str:
    total = f"{run.planned.total():,}"
    return f"[{run.done.total():{len(total)},} of {total}] {clock(now - run.begun)}"
