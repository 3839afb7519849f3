"""How far a run is, by stages with names for people, and the lines that say so; nothing here knows Snakemake."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

STAGES: Mapping[str, tuple[str, ...]] = {
    "fetch files and models": ("fetch", "unpack", "prepare_model"),
    "read data": ("ingest_",),
    "build pools": ("find_duplicates", "mine_negatives", "build_pool_"),
    "annotate": ("annotate_",),
    "make labels": ("merge_labels", "label_quality"),
    "train": ("train",),
    "retrieve": ("bm25_", "encode", "search"),
    "answer questions": ("generate_answers", "evaluate_answers"),
    "evaluate": ("merge_qrels", "match_answers", "evaluate", "average_metrics"),
    "make tables": ("results_table", "label_table", "cost_table"),
    "make report": ("plot_", "sample_annotations", "annotation_cost", "write_report"),
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
    planned: Counter[str] = field(default_factory=Counter)
    """Jobs by rule."""
    done: Counter[str] = field(default_factory=Counter)
    seconds: dict[str, float] = field(default_factory=dict)
    """What the finished jobs took together, by rule."""
    running: dict[int, tuple[str, float]] = field(default_factory=dict)
    """Rule and start of each job."""
    failed: dict[int, str] = field(default_factory=dict)
    """Rule of each job that failed and that does not run again."""
    first: dict[str, float] = field(default_factory=dict)
    """When each stage began."""

    def start(self, job: int, rule: str, now: float) -> None:
        """A job starts, maybe again."""
        if rule in self.planned:
            self.failed.pop(job, None)
            self.running[job] = rule, now
            self.first.setdefault(stage_of(rule), now)

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

    def seconds_left(self, now: float) -> tuple[float, bool] | None:
        """How long it takes yet, and whether that covers every rule; None before the first job is done.

        A job takes as long as the finished ones of its rule on average, and as many run side by side as until now.
        """
        if not self.done:
            return None
        running = Counter(rule for rule, _ in self.running.values())
        broken = Counter(self.failed.values())
        work, complete = 0.0, True
        for rule, planned in self.planned.items():
            if self.done[rule]:
                mean = self.seconds[rule] / self.done[rule]
                work += mean * (planned - self.done[rule] - running[rule] - broken[rule])
                work += sum(max(0.0, mean - (now - start)) for name, start in self.running.values() if name == rule)
            elif planned > broken[rule]:
                complete = False
        busy = sum(self.seconds.values()) + sum(now - start for _, start in self.running.values())
        return work / max(1.0, busy / max(now - self.begun, 1e-9)), complete


def clock(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{rest:02d}"


def jobs(number: int) -> str:
    """A number of jobs in words."""
    return f"{number:,} job{'' if number == 1 else 's'}"


def plan_line(run: Run) -> str:
    """What is to be done, by stage."""
    stages = [f"{stage} {run.of_stage(stage)[1]:,}" for stage in run.stages(run.planned)]
    return f"{jobs(run.planned.total())} to do: {', '.join(stages)}"


def status_line(run: Run, now: float) -> str:
    """How far the run and its active stages are, and how long it takes yet."""
    active = run.stages(rule for rule, _ in run.running.values())
    parts = ["{} {:,} of {:,}".format(stage, *run.of_stage(stage)) for stage in active]
    text = f"{_how_far(run, now)}  " + (f"now: {', '.join(parts)}" if parts else "waiting")
    left = run.seconds_left(now)
    if left is None or not (left[1] or round(left[0])):
        return text
    return f"{text}; {'about' if left[1] else 'at least'} {clock(left[0])} left"


def stage_line(run: Run, stage: str, now: float) -> str:
    """A stage is done."""
    took = clock(now - run.first.get(stage, now))
    return f"{_how_far(run, now)}  {stage}: done ({jobs(run.of_stage(stage)[1])} in {took})"


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
