"""What is elsewhere: published files, models of the hub, servers. A missing network is one row."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import httpx2
import orjson

from ..common.errors import InputError, causes
from ..engines.server import Server
from ..io import downloads as io_downloads
from ..io import hub, models
from ..planning import data
from ..settings import Download, Model
from ..settings.hub import SCHEME, HubFiles
from .rows import Row, not_ready
from .run import Later, Run

_AT_A_TIME = 4
_SLOWER = 3
"""Times the patience with one connection: a name has several addresses, and is looked up first."""


def downloads(run: Run) -> Iterator[Row | Later]:
    """Files that publishers serve: the address, the size, and whether a checksum is known."""
    for name in run.downloads:
        download = run.configuration.downloads[name]
        checked = ", ".join(download.checksums)
        row = Row("download", name, "ready", f"checksum known ({checked})" if checked else "no checksum is known")
        if download.local is None and download.url.startswith(SCHEME):
            continue  # looked at with the other data of the hub
        if download.local is None:
            yield Later(partial(_download, download, row, run.seconds), row, urlsplit(download.url).netloc)
        elif Path(download.local).is_file():
            yield replace(row, about=f"your copy is there; {row.about}")


def _download(download: Download, row: Row, seconds: float) -> list[Row]:
    try:
        size = io_downloads.stated_size(download, seconds)
    except InputError as error:
        return [not_ready(row.kind, row.name, error)]
    found = (
        "there" if size is None else "there, its size is right" if download.bytes else "there, its size is not known"
    )
    return [replace(row, about=f"{found}; {row.about}")]


def hub_data(run: Run) -> Iterator[Row | Later]:
    """Data sets on the hub: the revision, and whether it has such files."""
    from huggingface_hub import constants

    for place, files in run.hub_places.items():
        yield _hub_look(partial(_hub_data, files, place), files.address, constants.ENDPOINT)
    for name in run.downloads:
        download = run.configuration.downloads[name]
        if download.local is None and download.url.startswith(SCHEME):
            files = HubFiles.parse(download.url)
            place = data.fetched_file(run.configuration, download=name)
            yield _hub_look(partial(_hub_data, files, place), files.address, constants.ENDPOINT)


def _hub_look(look: Callable[[], list[Row]], address: str, endpoint: str) -> Later:
    return Later(look, Row("data set", address, "ready", "on the hub"), urlsplit(endpoint).netloc)


def _hub_data(files: HubFiles, place: str) -> list[Row]:
    try:
        number = hub.published_data(files, Path(place))
    except InputError as error:
        return [not_ready("data set", files.address, error)]
    return [Row("data set", files.address, "ready", f"on the hub, {number:,} file{'s' * (number > 1)}")]


def hub_models(run: Run) -> Iterator[Row | Later]:
    """Models: in an installed package, a folder or the hub's cache, or on the hub, with access to them."""
    from huggingface_hub import constants

    for name in run.models:
        model, setting = run.configuration.models[name], f"models.{name}"
        where = "an installed package" if model.package else "a folder" if model.path else "in the hub's cache"
        try:
            folder = hub.cached_model(model) if model.hub else None
            if folder is None and model.hub:
                row = Row("model", name, "ready", "on the hub")
                yield Later(
                    partial(_hub_model, model, row, setting, run.seconds), row, urlsplit(constants.ENDPOINT).netloc
                )
                continue
            models.look_at(model, folder, setting)
            yield Row("model", name, "ready", where)
        except InputError as error:
            yield not_ready("model", name, error)


def _hub_model(model: Model, row: Row, setting: str, seconds: float) -> list[Row]:
    try:
        lacking = models.missing_part(hub.published_files(model, setting, seconds))
        if lacking is not None:
            hint = f"correct `{setting}.hub` or `{setting}.revision`."
            raise InputError(f"{model.hub} has no {lacking}.", hint=hint)
    except InputError as error:
        return [not_ready(row.kind, row.name, error)]
    return [row]


def servers(run: Run) -> Iterator[Row | Later]:
    """Servers of LLMs: whether they answer and take the key."""
    for name in run.annotators:
        settings = run.configuration.annotators[name]
        if settings.engine != "openai":
            continue
        place, server = run.configuration.performance.annotate.server_of(settings.served_model_name)
        if os.environ.get(server.api_key_env):
            yield Row("key", server.api_key_env, "ready", "the variable is set")
        elif server.url.startswith("https:"):
            fix = f"put the key into the environment variable {server.api_key_env}; any text if the server wants none."
            yield Row("key", server.api_key_env, "not ready", f"the variable is not set, for {server.url}", fix)
        asked = _Asked(place, server)
        row = Row("server", f"of {name}", "ready", f"{server.url} answers")
        look = partial(_server, asked, settings.served_model_name or "", row, run.seconds)
        yield Later(look, row, "" if asked.is_local else urlsplit(server.url).netloc)


class _Asked(Server):
    """A server that is asked for no more than its models."""

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine, and so needs no network."""
        return self._local

    async def models(self, seconds: float) -> list[str] | None:
        """Their names; None where it does not tell.

        Raises:
            InputError: it refuses the key.
            ConnectionError: it is not reached.
        """
        async with self._client() as client:
            try:
                response = await client.get(f"{self._url}/models", timeout=seconds)
            except httpx2.RequestError as error:
                raise ConnectionError(self._named(error)) from None
        if response.status_code in (401, 402, 403):
            raise self._refusal(response, response.content)
        try:
            return [str(model["id"]) for model in orjson.loads(response.content)["data"]]
        except (ValueError, KeyError, TypeError):
            return None


def _server(server: _Asked, model: str, row: Row, seconds: float) -> list[Row]:
    try:
        served = asyncio.run(server.models(seconds))
    except InputError as error:
        return [not_ready(row.kind, row.name, error)]
    listed = "" if served is None or model in served else f", but does not list the model {model}"
    return [replace(row, about=row.about + listed)]


@dataclass(frozen=True)
class _Unreached:
    """Why a server was not reached; where the connection was refused, there is a network."""

    why: str
    refused: bool = False


def looked(later: Sequence[Later], seconds: float) -> dict[Later, list[Row]]:
    """The rows of looks: those that ask no server, and a first one of each server, at once; then a few at a time.

    A server that is not reached is not asked again. If none is reached, there is no network, which is one row.
    """
    first: dict[str, Later] = {}
    alone = [each for each in later if not each.host or first.setdefault(each.host, each) is each]
    found = _all(alone, max(len(alone), 1), seconds)
    gone = {host: said for host, each in first.items() if isinstance(said := found[each], _Unreached)}
    rest = [each for each in later if each not in found]
    found |= _all([each for each in rest if each.host not in gone], _AT_A_TIME, seconds)
    found |= {each: gone[each.host] for each in rest if each.host in gone}
    if first and len(gone) == len(first) and not any(said.refused for said in gone.values()):
        unseen = [each for each in later if each.host]
        kinds = Counter(each.row.kind for each in unseen)
        what = ", ".join(f"{number} {kind}{'s' * (number > 1)}" for kind, number in kinds.items())
        why = f"no network, so not {what} ({gone[unseen[0].host].why})"
        found |= {each: [Row("network", "", "not looked at", why)] * (each is unseen[0]) for each in unseen}
    return {each: _unreached(each, rows) if isinstance(rows, _Unreached) else rows for each, rows in found.items()}


def _all(later: Sequence[Later], at_a_time: int, seconds: float) -> dict[Later, list[Row] | _Unreached]:
    with ThreadPoolExecutor(at_a_time) as pool:
        found = pool.map(lambda each: _within(each, _SLOWER * seconds if each.host else None), later)
        return dict(zip(later, found, strict=True))


def _within(later: Later, seconds: float | None) -> list[Row] | _Unreached:
    """The rows of a look. One that takes too long is left alone: to look up a name of a server may take a minute."""
    answer = Future[list[Row]]()

    def look() -> None:
        try:
            answer.set_result(later.look())
        except BaseException as error:
            answer.set_exception(error)

    Thread(target=look, daemon=True).start()
    try:
        return answer.result(seconds)
    except TimeoutError:
        return _Unreached(f"no answer within {seconds:g} s")
    except ConnectionError as error:
        return _Unreached(str(error), any(isinstance(cause, ConnectionRefusedError) for cause in causes(error)))


def _unreached(later: Later, said: _Unreached) -> list[Row]:
    fix = "start it, or correct its address; look whether this machine can reach it (https_proxy?)."
    about = f"{later.host or 'it'} is not reached: {said.why}"
    return [replace(later.row, state="not ready", about=about, fix=fix)]
