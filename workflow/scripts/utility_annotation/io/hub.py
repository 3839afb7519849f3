"""Download a model from Hugging Face's hub into the hub's own cache."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from ..common.errors import InputError, NoRoom, causes, lacks_room
from ..settings import Model
from . import weights

_ELSEWHERE = (
    "or download it on a machine that reaches the hub (`hf download {name} --local-dir FOLDER`), copy FOLDER here and "
    "set `{setting}.path` to it instead of `hub`"
)


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
    from huggingface_hub import constants, snapshot_download

    assert model.hub is not None
    try:
        patterns = [f"*{ending}" for ending in endings]
        folder = Path(snapshot_download(model.hub, revision=model.revision, allow_patterns=patterns))
        if not any(folder.glob(f"*{weights.ENDING}")):
            # The folder's name is the commit. A branch may have moved meanwhile.
            snapshot_download(model.hub, revision=folder.name, allow_patterns=weights.PICKLED)
        return folder
    except Exception as error:
        reason = lacks_room(error)
        if reason is not None:
            raise NoRoom("this cache", reason, constants.HF_HUB_CACHE) from None
        problem, hint = _explain(error, model, setting)
        raise InputError(f"the hub model {model.hub!r} cannot be fetched: {problem}.", hint=f"{hint}.") from None


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
        problem, hint = _explain(error, model, setting)
        raise InputError(f"{problem}.", hint=f"{hint}.") from None


def _explain(error: Exception, model: Model, setting: str) -> tuple[str, str]:
    """The problem and the hint.

    Raises:
        Exception: the error itself, if a user cannot fix it.
    """
    import httpx2
    from huggingface_hub import constants, errors

    elsewhere = _ELSEWHERE.format(name=model.hub, setting=setting)
    token = "the token of HF_TOKEN" if os.environ.get("HF_TOKEN") else "no HF_TOKEN is set"
    if constants.HF_HUB_OFFLINE:
        return (
            f"it is not in the cache {constants.HF_HUB_CACHE}, and HF_HUB_OFFLINE forbids asking the hub",
            f"unset HF_HUB_OFFLINE; {elsewhere}",
        )
    if isinstance(error, errors.HFValidationError):
        return (
            "the hub has no names like this",
            f"correct `{setting}.hub`, OWNER/NAME; a folder is given as `{setting}.path`",
        )
    if isinstance(error, errors.RevisionNotFoundError):
        return f"it has no revision {model.revision!r}", f"correct `{setting}.revision`, or leave it out"
    refused = next((cause for cause in causes(error) if isinstance(cause, errors.HfHubHTTPError)), None)
    status = refused.response.status_code if refused is not None and refused.response is not None else None
    if isinstance(refused, errors.GatedRepoError) or status == 403:
        return (
            f"its owner asks for consent first (it is gated; {token})",
            f"accept the terms on {constants.ENDPOINT}/{model.hub}, then put your token into the environment "
            f"variable HF_TOKEN; {elsewhere}",
        )
    if isinstance(refused, errors.RepositoryNotFoundError) or status in (401, 404):
        return (
            f"the hub has no such model, or it is private ({token})",
            f"correct `{setting}.hub`; if it is private, put your token into the environment variable HF_TOKEN",
        )
    if status is not None:
        return f"the hub answers {status}", f"run again later; {elsewhere}"
    reached = isinstance(error, (errors.LocalEntryNotFoundError, httpx2.TransportError, OSError))
    if not reached:
        raise error
    return (
        f"the hub {constants.ENDPOINT} cannot be reached ({_last_words(error)})",
        f"check whether this machine can reach it (https_proxy? HF_ENDPOINT?); {elsewhere}",
    )


def _last_words(error: Exception) -> str:
    """What the connection itself said."""
    return " ".join(str(list(causes(error))[-1]).split()) or type(error).__name__
