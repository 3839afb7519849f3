"""A copy of the workflow in a folder of its own, in which tests run Snakemake as a user would."""

from __future__ import annotations

import atexit
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

QUESTIONS = 8
PASSAGES = 90
"""Of the demo, when it is cut to a small one."""

COPIED = ("Snakefile", "rules", "workflow", "config", "profiles", "envs", "resources")

LONGEST_COMMAND = 600


def copy_of_repository(root: Path, target: Path) -> Path:
    """The workflow's files, without results, in a folder of their own; with what Python has compiled of them, and with
    the digests of its code.
    """
    for name in (*COPIED, _code_digests(root)):
        source = root / name
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target / name)
        else:
            shutil.copy2(source, target / name)
    return target


@cache
def _code_digests(root: Path) -> str:
    """The file of digests that planning the demo leaves behind, which other plans need not compute."""
    planned(root)
    return ".snakemake/code-digests.json"


def environment() -> dict[str, str]:
    """This process's, with the programs of its Python first."""
    return os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}


def fast_environment() -> dict[str, str]:
    """The same, whose ``python`` is one that has large packages imported, see warm_python.py. What they read from the
    environment when they are imported is that of the tests.
    """
    own = environment()
    return own | {"PATH": f"{_warm_python()}{os.pathsep}{own['PATH']}"}


def snakemake(
    folder: Path, *arguments: str, having: Callable[[], dict[str, str]] = environment
) -> subprocess.CompletedProcess[str]:
    """Run Snakemake as a user would, in a folder."""
    with tempfile.TemporaryDirectory() as outputs:
        out, err = Path(outputs, "out"), Path(outputs, "err")
        code = _server().run(folder=str(folder), arguments=arguments, environment=having(), out=str(out), err=str(err))
        texts = (file.read_text() if file.exists() else "" for file in (out, err))
        return subprocess.CompletedProcess(["snakemake", *arguments], code, *texts)


class _Server:
    """A process that has imported Snakemake and forks for every call of it, see warm_snakemake.py."""

    def __init__(self) -> None:
        command = [sys.executable, str(Path(__file__).with_name("warm_snakemake.py"))]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def run(self, **request: Any) -> int:
        """Let a child run Snakemake; its exit code."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the process that runs Snakemake has ended"
        return int(answer)

    def end(self) -> None:
        """It ends where there is nothing more to read."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


@cache
def _warm_python() -> Path:
    """The folder of a program ``python`` whose jobs start with large packages imported."""
    folder = Path(tempfile.mkdtemp(prefix="warm-"))
    program, server = folder / "python", Path(__file__).with_name("warm_python.py")
    address = folder / "socket"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {server} main {address} {sys.executable} "$@"\n')
    program.chmod(0o755)
    one = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    command = [sys.executable, str(server), "serve", str(address)]
    serving = subprocess.Popen(command, stdin=subprocess.PIPE, env=os.environ | one)
    while not address.exists():
        assert serving.poll() is None, "the process that runs jobs has ended"
        time.sleep(0.05)

    def end() -> None:
        serving.communicate()
        shutil.rmtree(folder)

    atexit.register(end)
    return folder


@cache
def _server() -> _Server:
    server = _Server()
    atexit.register(server.end)
    return server


@dataclass(frozen=True)
class PlannedJob:
    """A job of a dry run, as Snakemake shows it."""

    rule: str
    wildcards: dict[str, str]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    reason: str
    command: str


class Plan:
    """The jobs of a dry run; target rules are left out."""

    def __init__(self, jobs: Iterable[PlannedJob]) -> None:
        self.jobs = list(jobs)

    @property
    def rules(self) -> Counter[str]:
        """How many jobs each rule has."""
        return Counter(job.rule for job in self.jobs)

    def of(self, rule: str) -> list[PlannedJob]:
        """The jobs of a rule."""
        return [job for job in self.jobs if job.rule == rule]

    def needed_for(self, *files: str) -> Counter[str]:
        """The jobs without which these files cannot be made, by rule, as Snakemake would plan them for these alone."""
        maker = {file: number for number, job in enumerate(self.jobs) for file in job.outputs}
        needed: set[int] = set()
        todo = [maker[file] for file in files]
        while todo:
            job = todo.pop()
            if job not in needed:
                needed.add(job)
                todo += [maker[file] for file in self.jobs[job].inputs if file in maker]
        return Counter(self.jobs[job].rule for job in needed)

    def assert_commands_can_be_pasted(self) -> None:
        """Every command is short, and holds names and no JSON."""
        commands = [job.command for job in self.jobs]
        assert all(commands)
        assert max(map(len, commands)) <= LONGEST_COMMAND
        assert not [command for command in commands if set('{}[]"') & set(command)]


def plan(folder: Path, *arguments: str) -> Plan:
    """The jobs that a dry run plans, with their commands."""
    result = snakemake(folder, "--dry-run", "--printshellcmds", *arguments)
    assert result.returncode == 0, result.stderr + result.stdout
    return Plan(_jobs(result.stdout + result.stderr))


def _jobs(shown: str) -> Iterator[PlannedJob]:
    """Jobs that make something, from what a dry run prints."""
    parts = re.split(r"^ *(?:local)?rule ([\w-]+):$", shown, flags=re.MULTILINE)
    for rule, text in zip(parts[1::2], parts[2::2], strict=True):
        facts = dict(re.findall(r"^ +(input|output|reason|wildcards): (.+)$", text, flags=re.MULTILINE))
        command = re.search(r"^Shell command: (.+)$", text, flags=re.MULTILINE)
        if "output" in facts:
            yield PlannedJob(
                rule=rule,
                wildcards=dict(pair.split("=", 1) for pair in _listed(facts, "wildcards")),
                inputs=_listed(facts, "input"),
                outputs=_listed(facts, "output"),
                reason=facts.get("reason", ""),
                command=command[1] if command else "",
            )


def _listed(facts: dict[str, str], name: str) -> tuple[str, ...]:
    return tuple(filter(None, facts.get(name, "").split(", ")))


def planned(folder: Path, *arguments: str) -> Counter[str]:
    """Jobs that a dry run plans, by rule."""
    return plan(folder, *arguments).rules


def stand_in_for_results(folder: Path, *arguments: str) -> None:
    """Put an empty file in the place of every result, for which ``snakemake --touch`` records what a real run records:
    parameters, inputs and their checksums.
    """
    (folder / "results" / "configurations").mkdir(parents=True)
    for job in plan(folder, *arguments).jobs:
        for name in job.outputs:
            path = folder / name
            if path.suffix:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            else:
                path.mkdir(parents=True)
    result = snakemake(folder, "--touch", "--forceall", "--cores", "1", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr


def shorten_texts(configuration: dict[str, Any]) -> None:
    """Let models read a few words of each passage, and write a few."""
    for backbone in configuration["backbones"].values():
        backbone |= {"query_length": 16, "passage_length": 32}
    for annotator in configuration["annotators"].values():
        annotator |= {"passage_words": 20, "answer_sampling": {"max_new_tokens": 8}}


def shrink_demo(folder: Path) -> None:
    """Cut the demo to a few questions and passages."""
    demo = folder / "resources" / "demo"
    corpus = (demo / "beir" / "corpus.jsonl").read_text("utf-8").splitlines()[:PASSAGES]
    kept = {json.loads(line)["_id"].rpartition("-")[0] for line in corpus}
    (demo / "beir" / "corpus.jsonl").write_text("\n".join(corpus) + "\n")
    for split in ("train", "dev"):
        for file in (
            demo / "msmarco" / f"queries.{split}.tsv",
            demo / "trec" / f"qrels.{split}.txt",
            demo / "answers" / f"{split}.jsonl",
        ):
            _keep_lines(file, kept, split)
    _keep_lines(demo / "tevatron" / "train.jsonl", kept, "train")


def _keep_lines(file: Path, subjects: set[str], split: str) -> None:
    """Keep the lines on the first questions of the kept subjects."""
    ids = re.compile(rf"([a-z-]+)-{split}\b")
    lines = [line for line in file.read_text("utf-8").splitlines() if ids.search(line)[1] in subjects]  # type: ignore[index]
    file.write_text("\n".join(lines[:QUESTIONS]) + "\n")
