"""What a user is told of a file, a target, a folder or an interpreter that a run could not do without.

Everything here raises InputError before the first job starts, so that a run which would fail, or do harm, does not
begin.
"""

from __future__ import annotations

import difflib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path

from ..common.errors import InputError
from ..exports.forms import FORMS
from ..io.archives import PARQUET, is_tar, shards
from ..settings import Configuration
from ..settings.base import nearest
from ..settings.hub import hub_files
from . import data
from .loading import resolved_name


def missing_files(configuration: Configuration) -> dict[str, list[str]]:
    """The files that the configuration names, that are not there and that no rule makes, each with its settings."""
    local = (
        (f"downloads.{name}.local", download.local)
        for name, download in configuration.downloads.items()
        if download.local is not None
    )
    missing: dict[str, list[str]] = {}
    for setting, path in (*data.outside_settings(configuration), *local):
        file = data.outside_file(configuration, path)
        if not _is_made_here(configuration, file) and not Path(file).exists() and not shards(Path(file), PARQUET):
            missing.setdefault(file, []).append(setting)
    return missing


def _is_made_here(configuration: Configuration, file: str) -> bool:
    """Whether the workflow makes a file: one of our own, a download, a member of a tar download, or one of the hub."""
    found = data.download_of(configuration, file)
    if found is not None:
        kept = data.fetched_file(configuration, download=found[0])
        return file == kept or is_tar(kept)
    return hub_files(file) is not None or Path(file).parts[0] in ("data", "results")


def missing_file(configuration: Configuration, *, missing_file: str) -> list[str]:
    """Stop the plan, as it needs a file that is not there."""
    path, settings = Path(missing_file), missing_files(configuration)[missing_file]
    found = data.download_of(configuration, str(path))
    siblings = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    close = difflib.get_close_matches(path.name, siblings, n=1)
    meant = f" (did you mean {path.parent / close[0]}?)" if close else ""
    hint = f"correct `{settings[0]}`, or put it there"
    if found is not None:
        kept = data.fetched_file(configuration, download=found[0])
        hint = f"correct `{settings[0]}`: the download {found[0]} is kept as {kept}"
    elif path.parts[0] == "raw" and len(path.parts) > 2:
        hint += f", or let it be fetched: `downloads.{path.parts[1]}` with its `url`"
    named = " and ".join(f"`{name}`" for name in settings)
    raise InputError(
        f"{path}, which {named} {'names' if len(settings) == 1 else 'name'}, is not there{meant}.",
        hint=f"{hint}. Relative paths start from {Path.cwd()}.",
    )


def unknown_target(targets: Iterable[str], name: str) -> list[str]:
    """Stop the plan, as it is asked for a name that is no target's."""
    raise InputError(
        f"there is no target {name!r}{nearest(name, list(targets))}.",
        hint="name a target that `snakemake --list-target-rules` shows, or a file that a rule makes.",
    )


def unknown_export(configuration: Configuration, *, any_labels: str, any_format: str) -> list[str]:
    """Stop the plan, as it is asked for labels in a format that there is not, or for labels that there are not."""
    problems = [
        f"{name!r} is no {what}{nearest(name, list(known))}"
        for what, name, known in (
            ("label set of the configuration", any_labels, configuration.labels),
            ("format of labels", any_format, FORMS),
        )
        if name not in known
    ]
    raise InputError(f"{'; '.join(problems)}.", hint="ask for results/exports/labels/LABELS/FORMAT.")


def foreign_folder() -> None:
    """Stop where Snakemake could not keep its records: in the working folder of somebody else."""
    records = Path(".snakemake")
    if not os.access(records if records.exists() else Path(), os.W_OK):
        raise InputError(
            f"{records.absolute()} cannot be written: the folder is read-only, or another user's.",
            hint="run in a folder of your own (`cp -a` carries data/, results/, raw/ and .snakemake/ over), or have "
            "write permission given to you.",
        )


def older_results(configuration: Configuration) -> None:
    """Stop where results/ was made by a version whose files had other names: it must not be used in part.

    Completion stores (results/completions/) are of every version.
    """
    made = ("annotation", "labels", "models", "metrics", "pools", "tables")
    if Path(resolved_name(configuration)).parent.is_dir() or not any(Path("results", name).is_dir() for name in made):
        return
    raise InputError(
        f"{Path('results').absolute()} was made by version 1, whose settings and files have other names.",
        hint="rename the folder and keep its completions: `mv results results-1 && mkdir results && "
        "mv results-1/completions results/`. No LLM is asked again; everything else is made again.",
    )


def outputs_without_access(outputs: Iterable[tuple[str, str]]) -> None:
    """Stop where a planned job could not write what it makes, for instance below a read-only data/.

    Args:
        outputs: the rule and the file of each planned output.
    """
    places = {Path(file).parent: (rule, file) for rule, file in outputs}
    for folder, (rule, file) in places.items():
        existing = next(path for path in (folder, *folder.parents) if path.exists() or path.is_symlink())
        if not os.access(existing, os.W_OK):
            raise InputError(
                f"{existing} cannot be written, but {rule} is to make {file} there.",
                hint="give yourself write permission, or see with a dry run (`-n`) why it is to be made: what is there "
                "and up to date needs no permission.",
            )


def missing_vllm(configuration: Configuration) -> None:
    """Stop where vLLM's jobs are to run with a Python that is not there, or that has no vLLM."""
    python = configuration.performance.annotate.python
    make = "`python -m venv FOLDER` and `FOLDER/bin/pip install -r envs/vllm.txt` make one, FOLDER/bin/python"
    if shutil.which(python) is None:
        raise InputError(f"there is no interpreter {python}.", hint=f"correct `performance.annotate.python`; {make}.")
    # to import vLLM takes half a minute, and a login node has no GPU
    lacks = "import sys; from importlib.util import find_spec; sys.exit(find_spec('vllm') is None)"
    if subprocess.run([python, "-c", lacks], capture_output=True).returncode:
        raise InputError(
            f"annotators of engine vllm would run with {shutil.which(python)}, which has no vLLM.",
            hint="add `--software-deployment-method conda`, and Snakemake makes an environment with it; or name an "
            f"interpreter with vLLM in `performance.annotate.python`: {make}.",
        )


def missing_tensorboard(configuration: Configuration) -> None:
    """Stop where trainings are to write TensorBoard's files without its package."""
    if configuration.performance.train.log_to == "tensorboard" and find_spec("tensorboard") is None:
        raise InputError(
            f"`performance.train.log_to` is tensorboard, but {sys.executable} has no such package.",
            hint="install it (`pip install tensorboard`), or set the key to none.",
        )


def foreign_python() -> None:
    """Stop where jobs would run in the Python of a shell in which the workflow's environment is not active."""
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
    raise InputError(
        f"jobs would run with {tried[0]}, which lacks the workflow's packages ({words}).",
        hint=f"activate the environment, `. {Path(sys.prefix) / 'bin' / 'activate'}`, or let Snakemake make one "
        "(`--software-deployment-method conda`).",
    )
