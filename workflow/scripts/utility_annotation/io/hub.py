"""Download from Hugging Face's hub: a model into the hub's own cache, files of a data set to where they are read."""

from __future__ import annotations

import difflib
import fnmatch
import glob
import logging
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..common.errors import InputError, NoRoom, causes, lacks_room
from ..common.files import atomic_write
from ..settings import HubFiles, Model
from . import weights
from .archives import is_data

if TYPE_CHECKING:
    from huggingface_hub import HfApi

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Wanted:
    """What is asked for, as messages need it.

    Attributes:
        kind: model, or data set.
        name: its name on the hub.
        revision: the revision that is asked for.
        page: its page on the hub.
        correct_name, correct_revision: what to correct if the hub has no such name or revision.
        elsewhere: how to do without reaching the hub.
        cache: where it is looked for before the hub is asked; empty for nowhere.
    """

    kind: str
    name: str
    revision: str | None
    page: str
    correct_name: str
    correct_revision: str
    elsewhere: str
    cache: str


def fetch_model(model: Model, setting: str, endings: Sequence[str]) -> Path:
    """The folder in the hub's cache with the model's files of these endings; missing ones are downloaded.

    Pickled weights are among them if the model has no others.

    Args:
        model: names hub and revision.
        setting: where the model stands in the configuration, such as ``models.bert``.
        endings: endings of the wanted files.

    Raises:
        InputError: the hub cannot be reached, does not have the model or the revision, or refuses access; or the disk
            of its cache is full.
    """
    from huggingface_hub import snapshot_download

    assert model.hub is not None
    try:
        patterns = [f"*{ending}" for ending in endings]
        folder = Path(snapshot_download(model.hub, revision=model.revision, allow_patterns=patterns))
        if not any(folder.glob(f"*{weights.ENDING}")):
            # The folder's name is the commit. A branch may have moved meanwhile.
            snapshot_download(model.hub, revision=folder.name, allow_patterns=weights.PICKLED)
        _LOG.info("%s: commit %s", model.hub, folder.name)
        return folder
    except Exception as error:
        if (told := _told(error, _wanted_model(model, setting))) is None:
            raise
        raise told from None


def cached_model(model: Model) -> Path | None:
    """The model's folder in the hub's cache, complete or not; None where it is not there. The hub is not asked."""
    from huggingface_hub import errors, snapshot_download

    assert model.hub is not None
    try:
        return Path(snapshot_download(model.hub, revision=model.revision, local_files_only=True))
    except (errors.LocalEntryNotFoundError, errors.HFValidationError):
        return None


def published_files(model: Model, setting: str, timeout: float) -> list[str]:
    """The names of the model's files on the hub, after one of them was asked for: a gated model lists all the same.

    Raises:
        InputError: as :func:`fetch_model`.
        ConnectionError: the hub is not reached.
    """
    import httpx2
    from huggingface_hub import HfApi, get_hf_file_metadata, hf_hub_url

    assert model.hub is not None
    try:
        about = HfApi().model_info(model.hub, revision=model.revision, timeout=timeout)
        names = [file.rfilename for file in about.siblings or ()]
        if names:
            get_hf_file_metadata(hf_hub_url(model.hub, names[0], revision=model.revision), timeout=timeout)
        return names
    except Exception as error:
        if any(isinstance(cause, httpx2.TransportError) for cause in causes(error)):
            raise ConnectionError(_last_words(error)) from None
        explained = _explained(error, _wanted_model(model, setting))
        if explained is None:
            raise
        problem, hint = explained
        raise InputError(f"{problem}.", hint=f"{hint}.") from None


def fetch_files(wanted: HubFiles, output: Path, problem: Callable[[Path], str | None] = lambda file: None) -> None:
    """Put a file of a data set, or a folder with the files of a folder or a pattern, to ``output``.

    ``.OUTPUT.partial`` beside it holds what has come so far, and a later attempt goes on from there. Every file is
    compared with the hub's checksum. Hidden files are left out.

    Args:
        wanted: the files.
        output: where to put them.
        problem: what is wrong with a file that has come, if anything is.

    Raises:
        InputError: the hub cannot be reached, does not have the data set, the revision or such a file, or refuses
            access; a file is damaged; or the disk is full.
    """
    from huggingface_hub import HfApi, snapshot_download

    output.parent.mkdir(parents=True, exist_ok=True)
    partial = output.with_name(f".{output.name}.partial")
    api, repository = HfApi(), wanted.repository
    try:
        commit, chosen = _chosen(api, wanted)
        patterns = [glob.escape(name) for name in chosen]
        snapshot_download(repository, repo_type="dataset", revision=commit, allow_patterns=patterns, local_dir=partial)
        checked = api.verify_repo_checksums(repository, repo_type="dataset", revision=commit, local_dir=partial)
    except InputError:
        raise
    except Exception as error:
        if (told := _told(error, _wanted_data(wanted, output))) is None:
            raise
        raise told from None
    damaged = [each["path"] for each in checked.mismatches]
    for name in (*damaged, *checked.extra_paths):  # files that an earlier attempt left of another commit
        (partial / name).unlink()
    found = partial / (wanted.top if wanted.several else wanted.files)
    wrong = f"{damaged[0]} does not have the hub's checksum" if damaged else None
    if wrong is None and not wanted.several and (wrong := problem(found)) is not None:
        found.unlink()
    if wrong is not None:
        raise InputError(
            f"this is not the published file: {wrong}. It is deleted.",
            hint="run again, in case the transfer failed; else correct the address, or the checksum and size that the "
            "configuration states.",
            path=wanted.address,
        )
    shutil.rmtree(partial / ".cache", ignore_errors=True)
    with atomic_write(output) as temporary:
        found.rename(temporary)
    shutil.rmtree(partial, ignore_errors=True)
    _LOG.info("%s: %d files of commit %s", wanted.address, len(chosen), commit)
    if wanted.revision != commit:
        _LOG.warning("%s can change; @%s keeps what was fetched", wanted.address, commit)


def published_data(wanted: HubFiles, place: Path) -> int:
    """The number of files on the hub that an address means; ``place`` is where they would go.

    Raises:
        InputError: as :func:`fetch_files`.
        ConnectionError: the hub is not reached.
    """
    import httpx2
    from huggingface_hub import HfApi

    try:
        return len(_chosen(HfApi(), wanted)[1])
    except InputError:
        raise
    except Exception as error:
        if any(isinstance(cause, httpx2.TransportError) for cause in causes(error)):
            raise ConnectionError(_last_words(error)) from None
        if (told := _told(error, _wanted_data(wanted, place))) is None:
            raise
        raise told from None


def _chosen(api: HfApi, wanted: HubFiles) -> tuple[str, list[str]]:
    """The commit of a data set, and the names of the files that are wanted of it."""
    from huggingface_hub.hf_api import RepoFile

    repository = wanted.repository
    commit = api.repo_info(repository, repo_type="dataset", revision=wanted.revision).sha or ""
    tree = api.list_repo_tree(repository, repo_type="dataset", revision=commit, recursive=True)
    names = [entry.path for entry in tree if isinstance(entry, RepoFile) and is_data(entry.path)]
    chosen = [name for name in names if _fits(name, wanted)]
    if not chosen:
        raise _no_file(wanted, commit, names)
    return commit, chosen


def _fits(name: str, wanted: HubFiles) -> bool:
    """Whether a file of the repository is wanted. ``*`` stays within a folder, ``**`` is any number of folders."""
    if wanted.files.endswith("/"):
        return wanted.files == "/" or name.startswith(wanted.files)
    return _matches(name.split("/"), wanted.files.split("/")) if wanted.several else name == wanted.files


def _matches(parts: list[str], pattern: list[str]) -> bool:
    if not pattern or not parts:
        return not parts and all(part == "**" for part in pattern)
    if pattern[0] == "**":
        return any(_matches(parts[count:], pattern[1:]) for count in range(len(parts) + 1))
    return fnmatch.fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _no_file(wanted: HubFiles, commit: str, names: list[str]) -> InputError:
    folder = any(name.startswith(f"{wanted.files}/") for name in names)
    near = difflib.get_close_matches(wanted.files, names, n=5, cutoff=0.3) or names[:5]
    return InputError(
        f"the hub data set {wanted.repository!r} has no file {wanted.files} at commit {commit}; "
        + (f"{wanted.files} is a folder." if folder else f"it has {', '.join(near) or 'none'}."),
        hint=f"write {wanted.address}/ for all its files." if folder else "correct what follows the name.",
        path=wanted.address,
    )


def _wanted_model(model: Model, setting: str) -> _Wanted:
    from huggingface_hub import constants

    assert model.hub is not None
    return _Wanted(
        kind="model",
        name=model.hub,
        revision=model.revision,
        page=model.hub,
        correct_name=f"`{setting}.hub`, OWNER/NAME; a folder is given as `{setting}.path`",
        correct_revision=f"`{setting}.revision`, or leave it out",
        elsewhere=f"or download it on a machine that reaches the hub (`hf download {model.hub} --local-dir FOLDER`), "
        f"copy FOLDER here and set `{setting}.path` to it instead of `hub`",
        cache=constants.HF_HUB_CACHE,
    )


def _wanted_data(wanted: HubFiles, output: Path) -> _Wanted:
    revision = "" if wanted.revision is None else f" --revision {wanted.revision}"
    return _Wanted(
        kind="data set",
        name=wanted.repository,
        revision=wanted.revision,
        page=f"datasets/{wanted.repository}",
        correct_name=f"the address {wanted.address}; a data set's name is OWNER/NAME",
        correct_revision=f"what follows @ in {wanted.address}",
        elsewhere="or download it on a machine that reaches the hub (`hf download --repo-type dataset"
        f"{revision} {wanted.repository}`) and copy {wanted.files} to {output}",
        cache="",
    )


def _told(error: Exception, wanted: _Wanted) -> InputError | None:
    """The error that a user sees for an error of the hub's library; None if a user cannot fix it."""
    reason = lacks_room(error)
    if reason is not None:
        return NoRoom("this cache", reason, wanted.cache) if wanted.cache else NoRoom("this folder", reason, "raw")
    explained = _explained(error, wanted)
    if explained is None:
        return None
    problem, hint = explained
    return InputError(f"the hub {wanted.kind} {wanted.name!r} cannot be fetched: {problem}.", hint=f"{hint}.")


def _explained(error: Exception, wanted: _Wanted) -> tuple[str, str] | None:
    import httpx2
    from huggingface_hub import constants, errors

    token = "the token of HF_TOKEN" if os.environ.get("HF_TOKEN") else "no HF_TOKEN is set"
    if constants.HF_HUB_OFFLINE:
        where = f"it is not in the cache {wanted.cache}, and " if wanted.cache else ""
        return f"{where}HF_HUB_OFFLINE forbids asking the hub", f"unset HF_HUB_OFFLINE; {wanted.elsewhere}"
    if isinstance(error, errors.HFValidationError):
        return "the hub has no names like this", f"correct {wanted.correct_name}"
    if isinstance(error, errors.RevisionNotFoundError):
        return f"it has no revision {wanted.revision!r}", f"correct {wanted.correct_revision}"
    refused = next((cause for cause in causes(error) if isinstance(cause, errors.HfHubHTTPError)), None)
    status = refused.response.status_code if refused is not None and refused.response is not None else None
    if isinstance(refused, errors.GatedRepoError) or status == 403:
        return (
            f"its owner asks for consent first (it is gated; {token})",
            f"accept the terms on {constants.ENDPOINT}/{wanted.page}, then put your token into the environment "
            f"variable HF_TOKEN; {wanted.elsewhere}",
        )
    if isinstance(refused, errors.RepositoryNotFoundError) or status in (401, 404):
        return (
            f"the hub has no such {wanted.kind}, or it is private ({token})",
            f"correct {wanted.correct_name}; if it is private, put your token into the environment variable HF_TOKEN",
        )
    if status is not None:
        return f"the hub answers {status}", f"run again later; {wanted.elsewhere}"
    if not isinstance(error, (errors.LocalEntryNotFoundError, httpx2.TransportError, OSError)):
        return None
    return (
        f"the hub {constants.ENDPOINT} cannot be reached ({_last_words(error)})",
        f"check whether this machine can reach it (https_proxy? HF_ENDPOINT?); {wanted.elsewhere}",
    )


def _last_words(error: Exception) -> str:
    """What the connection itself said."""
    return " ".join(str(list(causes(error))[-1]).split()) or type(error).__name__
