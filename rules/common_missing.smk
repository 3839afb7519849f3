"""Functions only: what a user is told of a file, a target or an interpreter that is not there."""

import difflib
import os
import shutil
import subprocess
import sys

from utility_annotation.settings.base import nearest


def missing_files() -> dict[str, list[str]]:
    """The files that the configuration names, that are not there and that no rule makes, each with its settings."""
    local = (
        (f"downloads.{name}.local", download.local)
        for name, download in CONFIG.downloads.items()
        if download.local is not None
    )
    missing: dict[str, list[str]] = {}
    for setting, path in (*outside_settings(), *local):
        file = outside_file(path)
        if not made_here(file) and not Path(file).exists():
            missing.setdefault(file, []).append(setting)
    return missing


def made_here(file: str) -> bool:
    """Whether the workflow makes a file, be it in our own folders, a download or a member of a tar download."""
    found = download_of(file)
    if found is not None:
        kept = fetched_file(found[0])
        return file == kept or is_tar(kept)
    return Path(file).parts[0] in ("data", "results")


def refuse_missing_file(wildcards) -> list[str]:
    """Stop the plan, as it needs a file that is not there."""
    path, settings = Path(wildcards.missing_file), MISSING[wildcards.missing_file]
    found = download_of(str(path))
    siblings = (
        [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    )
    close = difflib.get_close_matches(path.name, siblings, n=1)
    hint = f" (did you mean {path.parent / close[0]}?)" if close else ""
    hint = f"correct `{settings[0]}`, or put the file there"
    if found is not None:
        hint = f"correct `{settings[0]}`: the download {found[0]} is kept as {fetched_file(found[0])}"
    elif path.parts[0] == "raw" and len(path.parts) > 2:
        hint += f", or let it be fetched: `downloads.{path.parts[1]}` with its `url`"
    raise WorkflowError(
        f"{path}, which {' and '.join(f'`{name}`' for name in settings)} {'names' if len(settings) == 1 else 'name'}, is not "
        f"there{hint}. To hint it: {hint}. "
        f"Relative paths start from {Path.cwd()}."
    )


def refuse_missing_interpreter() -> None:
    """Stop where vLLM's jobs are to run with a Python that is not there."""
    python = CONFIG.performance.annotate.python
    used = {job.params.get("python") for job in workflow.dag.needrun_jobs()}
    if python in used and shutil.which(python) is None:
        raise WorkflowError(
            f"there is no interpreter {python}. To hint it: correct `performance.annotate.python`; `python -m venv FOLDER` "
            "and `FOLDER/bin/pip install -r envs/vllm.txt` make one, FOLDER/bin/python."
        )


def refuse_foreign_python() -> None:
    """Stop where jobs would run in the Python of a shell in which the workflow's environment is not active."""
    if "conda" in map(str, workflow.deployment_settings.deployment_method):
        return
    python = shutil.which("python")
    if python is not None and Path(python).absolute() == Path(sys.executable):
        return  # not where the links of both lead: an environment's leads to the Python that made it
    tried = [python or "python", "-c", "import orjson, pyarrow, pydantic"]
    words = "there is none"
    if python is not None:
        found = subprocess.run(tried, capture_output=True, text=True)
        if found.returncode == 0:
            return
        words = (found.stderr.strip().splitlines() or ["it does not run"])[-1]
    raise WorkflowError(
        f"jobs would run with {tried[0]}, which lacks the workflow's packages ({words}). To hint it: activate the "
        f"environment, `. {Path(sys.prefix) / 'bin' / 'activate'}`, or let Snakemake make one "
        "(`--software-deployment-method conda`)."
    )


def refuse_unknown_target(wildcards) -> list[str]:
    """Stop the plan, as it is asked for a name that is no target's."""
    names = [rule.name for rule in workflow.rules if not rule.output]
    raise WorkflowError(
        f"there is no target {wildcards.unknown_target!r}{nearest(wildcards.unknown_target, names)}. To hint it: name one of "
        "the targets that README.md lists (Every target), or a file that a rule makes."
    )


def refuse_unknown_form(wildcards) -> list[str]:
    """Stop the plan, as it is asked for labels in a format that there is not, or for labels that there are not."""
    problems = [
        f"{name!r} is no {what}{nearest(name, known)}"
        for what, name, known in (
            ("label set of the configuration", wildcards.any_labels, CONFIG.labels),
            ("format of labels", wildcards.any_form, FORMS),
        )
        if name not in known
    ]
    raise WorkflowError(
        f"{'; '.join(problems)}. To hint it: ask for results/exports/labels/LABELS/FORMAT, as README.md says (Hand it over)."
    )


def none_of(names, otherwise: str) -> str:
    """Pattern of what is none of these names."""
    return f"(?!(?:{'|'.join(map(re.escape, names))})$){otherwise}"
