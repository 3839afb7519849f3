"""A copy of the workflow in a folder of its own, in which tests run Snakemake as a user would."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

QUESTIONS = 8
PASSAGES = 90
"""Of the demo, when it is cut to a small one."""

COPIED = ("Snakefile", "rules", "workflow", "config", "profiles", "envs", "resources")


def copy_of_repository(root: Path, target: Path) -> Path:
    """The workflow's files, without results, in a folder of their own."""
    for name in COPIED:
        source = root / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target / name)
    return target


def snakemake(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Snakemake as a user would, in a folder."""
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        [sys.executable, "-m", "snakemake", *arguments], cwd=folder, capture_output=True, text=True, env=environment
    )


def planned(folder: Path, *arguments: str) -> Counter[str]:
    """Jobs that a dry run plans, by rule; the target rules themselves are left out."""
    result = snakemake(folder, "--dry-run", *arguments)
    assert result.returncode == 0, result.stderr + result.stdout
    rules = re.findall(r"^ *(?:local)?rule (\w[\w-]*):$", result.stdout + result.stderr, flags=re.MULTILINE)
    return Counter(rule for rule in rules if rule != "all")


def stand_in_for_results(folder: Path, *arguments: str) -> None:
    """Put an empty file in the place of every result, for which ``snakemake --touch`` records what a real run records:
    parameters, inputs and their checksums.
    """
    plan = snakemake(folder, "--dry-run", *arguments).stdout
    for line in re.findall(r"^ *output: (.+)$", plan, flags=re.MULTILINE):
        for name in line.split(", "):
            path = folder / name
            if path.suffix:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.touch()
            else:
                path.mkdir(parents=True)
    result = snakemake(folder, "--touch", "--forceall", "--cores", "1", *arguments)
    assert result.returncode == 0, result.stdout + result.stderr


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
