"""Files, models and servers elsewhere, asked over HTTP."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from time import monotonic, sleep
from typing import Any

import local_hub
import pytest
from huggingface_hub import constants
from plans import job, run

from utility_annotation.readiness import outside
from utility_annotation.readiness.rows import Row
from utility_annotation.readiness.run import Later, Run
from utility_annotation.settings import HubFiles

Reply = tuple[int, dict[str, str], bytes]


@contextmanager
def serving(reply: Callable[[str, dict[str, str]], Reply]) -> Iterator[tuple[str, list[str]]]:
    """A server that answers a path and headers so, and the paths that it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, headers, body = reply(self.path, {name.lower(): value for name, value in self.headers.items()})
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(body))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


def rows(run: Run, *checks: Callable[[Run], Iterator[Row | Later]]) -> list[Row]:
    """What checks say."""
    found = [each for check in checks for each in check(run)]
    later = outside.looked([each for each in found if isinstance(each, Later)], run.seconds)
    return [row for each in found for row in (later[each] if isinstance(each, Later) else [each])]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder, and no settings of this machine."""
    monkeypatch.chdir(tmp_path)
    for name in ("OPENAI_API_KEY", "HF_TOKEN", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


# --- Downloads -----


def fetching(url: str, name: str = "file", **facts: Any) -> Run:
    sections = {"downloads": {name: {"url": url, **facts}}}
    return run(job("fetch", download=name, file="file"), sections=sections)


def downloads(url: str, **facts: Any) -> Row:
    (row,) = rows(fetching(url, **facts), outside.downloads)
    return row


def in_parts(path: str, headers: dict[str, str]) -> Reply:
    """A server of a large file that sends the part that was asked for."""
    if path != "/file":
        return 404, {}, b""
    assert headers["range"] == "bytes=0-0"
    return 206, {"Content-Range": "bytes 0-0/123456"}, b"x"


def test_a_file_of_the_published_size_is_ready() -> None:
    with serving(in_parts) as (address, asked):
        row = downloads(f"{address}/file", bytes=123456, md5="0" * 32)
    assert (row.state, row.about) == ("ready", "there, its size is right; checksum known (md5)")
    assert asked == ["/file"]


def test_a_missing_checksum_is_told() -> None:
    with serving(in_parts) as (address, _):
        assert downloads(f"{address}/file").about == "there, its size is not known; no checksum is known"


@pytest.mark.parametrize(
    ("path", "facts", "problem", "fix"),
    [
        (
            "/file",
            {"bytes": 5},
            "its size is 123,456 bytes and not the published 5",
            "correct `md5`, `sha256` and `bytes`",
        ),
        ("/moved/file", {}, "the server answered 404 (Not Found)", "correct `url`"),
    ],
)
def test_another_file_or_none_is_not_ready(path: str, facts: dict[str, int], problem: str, fix: str) -> None:
    with serving(in_parts) as (address, _):
        row = downloads(address + path, **facts)
    assert row.state == "not ready"
    assert problem in row.about
    assert fix in row.fix


def test_a_server_that_sends_the_whole_file_is_not_listened_to() -> None:
    size = 50_000_000
    with serving(lambda path, headers: (200, {"Content-Length": str(size)}, b"")) as (address, _):
        begin = monotonic()
        assert downloads(f"{address}/file", bytes=size).state == "ready"
        assert monotonic() - begin < 2


def test_your_own_copy_needs_no_server(folder: Path) -> None:
    (folder / "copy").touch()
    row = downloads("http://nowhere.invalid/file", local=str(folder / "copy"))
    assert (row.state, row.about) == ("ready", "your copy is there; no checksum is known")


def test_what_lies_there_is_not_asked_for(folder: Path) -> None:
    sections = {"downloads": {"file": {"url": "http://nowhere.invalid/file"}}}
    (folder / "raw/file").mkdir(parents=True)
    (folder / "raw/file/file").touch()
    assert not rows(run(jobs=None, sections=sections), outside.downloads), "without a plan"
    assert not rows(run(job("train"), sections=sections), outside.downloads), "with one that fetches nothing"


# --- Without a network -----


def several(*urls: str) -> Run:
    names = [f"file{number}" for number in range(len(urls))]
    sections = {"downloads": {name: {"url": url} for name, url in zip(names, urls, strict=True)}}
    return run(*(job("fetch", download=name, file="file") for name in names), sections=sections)


def test_a_machine_without_a_network_says_so_once() -> None:
    (row,) = rows(several(*(f"http://host{n}.invalid/file" for n in range(3))), outside.downloads)
    assert row.state == "not looked at"
    assert row.about.startswith("no network, so not 3 downloads (")


def test_a_server_that_is_gone_is_not_ready_where_another_answers() -> None:
    with serving(in_parts) as (address, _):
        gone, there = rows(several("http://host.invalid/file", f"{address}/file"), outside.downloads)
    assert (gone.state, there.state) == ("not ready", "ready")
    assert gone.about.startswith("host.invalid is not reached: ")


def test_a_refused_connection_is_no_missing_network() -> None:
    (row,) = rows(several("http://127.0.0.1:9/file"), outside.downloads)
    assert row.state == "not ready"


def test_a_server_that_is_silent_is_asked_once_and_not_waited_for() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file"
        begin = monotonic()
        (row,) = rows(several(*[url] * 8), outside.downloads)
        assert monotonic() - begin < 5
    assert row.about.startswith("no network, so not 8 downloads (")


def test_a_look_that_ends_never_is_left_alone() -> None:
    later = Later(lambda: [sleep(3600)], Row("k", "n", "ready", ""), "host")  # type: ignore[list-item]
    begin = monotonic()
    assert outside.looked([later], 0.1)[later][0].state == "not looked at"
    assert monotonic() - begin < 5


# --- Data sets of the hub -----


@pytest.fixture
def endpoint(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A hub whose only data set has two training files."""
    for name in ("data/train-0.parquet", "data/train-1.parquet"):
        (folder / "repository" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "repository" / name).write_bytes(b"x")
    with local_hub.hub_of(folder / "repository") as (address, _):
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr("huggingface_hub.hf_api.constants.ENDPOINT", address, raising=False)
        yield address


def of_data(address: str, **more: Any) -> list[Row]:
    """What is said of a corpus at a hub address."""
    corpus = {"format": "parquet", "path": address}
    place = HubFiles.parse(address).place
    split = {"queries": {"format": "jsonl", "path": "own/queries.jsonl"}}
    sections = {"datasets": {"d": {"corpus": corpus, "splits": {"train": split}}}, **more}
    return rows(run(job("fetch_hub_folder", hub_place=place), sections=sections), outside.hub_data)


@pytest.mark.usefixtures("endpoint")
def test_files_of_a_data_set_on_the_hub_are_counted() -> None:
    (row,) = of_data("hub:someone/data/data/*.parquet")
    assert (row.kind, row.state, row.about) == ("data set", "ready", "on the hub, 2 files")


@pytest.mark.usefixtures("endpoint")
def test_a_data_set_without_such_files_is_not_ready() -> None:
    (row,) = of_data("hub:someone/data/dev/*.parquet")
    assert row.state == "not ready"
    assert "has no file dev/*.parquet" in row.about


@pytest.mark.usefixtures("endpoint")
def test_a_download_from_the_hub_is_a_data_set_and_no_address_of_the_web() -> None:
    sections = {"downloads": {"rows": {"url": "hub:someone/data/data/train-0.parquet"}}}
    planned = run(job("fetch", download="rows"), sections=sections)
    assert list(outside.downloads(planned)) == []
    (row,) = rows(planned, outside.hub_data)
    assert (row.state, row.about) == ("ready", "on the hub, 1 file")


# --- Models -----

WHOLE = ("config.json", "tokenizer.json", "model.safetensors")


def models(monkeypatch: pytest.MonkeyPatch, reply: Callable[[str, dict[str, str]], Reply], **model: str) -> Row:
    """What is said of a hub model."""
    with serving(reply) as (address, _):
        monkeypatch.setattr(constants, "ENDPOINT", address)
        monkeypatch.setattr(
            constants, "HUGGINGFACE_CO_URL_TEMPLATE", address + "/{repo_id}/resolve/{revision}/{filename}"
        )
        monkeypatch.setattr("huggingface_hub.hf_api.ENDPOINT", address, raising=False)
        sections = {"models": {"llm": {"hub": "someone/llm", **model}}}
        (row,) = rows(run(job("prepare_model", model="llm"), sections=sections), outside.hub_models)
    return row


def hub_of(*names: str, refusal: tuple[int, str] | None = None) -> Callable[[str, dict[str, str]], Reply]:
    """A hub with one model; files are refused so."""

    def reply(path: str, headers: dict[str, str]) -> Reply:
        if path.startswith("/api/models/someone/llm"):
            about = {"id": "someone/llm", "sha": "a" * 40, "siblings": [{"rfilename": name} for name in names]}
            return 200, {}, json.dumps(about).encode()
        if refusal:
            return refusal[0], {"X-Error-Code": refusal[1]}, b""
        return 200, {"ETag": f'"{hashlib.sha256(b"").hexdigest()}"', "X-Repo-Commit": "a" * 40}, b""

    return reply


def test_a_whole_model_of_the_hub_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    row = models(monkeypatch, hub_of(*WHOLE))
    assert (row.state, row.about) == ("ready", "on the hub")
    assert models(monkeypatch, hub_of("config.json", "vocab.txt", "pytorch_model.bin")).state == "ready"


@pytest.mark.parametrize("missing", WHOLE)
def test_a_model_that_lacks_a_file_is_not_ready(monkeypatch: pytest.MonkeyPatch, missing: str) -> None:
    row = models(monkeypatch, hub_of(*(set(WHOLE) - {missing})))
    assert row.state == "not ready"
    assert "someone/llm has no " in row.about
    assert "`models.llm.hub`" in row.fix


def test_a_gated_model_is_not_ready_although_its_files_are_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    row = models(monkeypatch, hub_of(*WHOLE, refusal=(403, "GatedRepo")))
    assert row.state == "not ready"
    assert "its owner asks for consent first" in row.about
    assert "HF_TOKEN" in row.fix


def test_an_unknown_revision_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    row = models(monkeypatch, lambda *_: (404, {"X-Error-Code": "RevisionNotFound"}, b""), revision="v9")
    assert row.about == "it has no revision 'v9'"


def local(folder: Path, *names: str, **contents: Any) -> Row:
    """What is said of a model folder with these files."""
    (folder / "model").mkdir(exist_ok=True)
    for name in names:
        (folder / "model" / name).write_text(json.dumps(contents))
    sections = {"models": {"llm": {"path": "model"}}}
    (row,) = rows(run(job("prepare_model", model="llm"), sections=sections), outside.hub_models)
    return row


def test_a_local_folder_is_looked_at_with_every_file_that_its_index_names(folder: Path) -> None:
    parts = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    row = local(
        folder,
        "config.json",
        "tokenizer.json",
        "model.safetensors.index.json",
        parts[0],
        weight_map={"a": parts[0], "b": parts[1]},
    )
    assert row.state == "not ready"
    assert parts[1] in row.about
    assert local(folder, parts[1]).state == "ready"


def test_a_missing_folder_and_a_missing_package_are_not_ready() -> None:
    sections = {"models": {"a": {"path": "nowhere"}, "b": {"package": "no-such-package"}}}
    jobs = [job("prepare_model", model=name) for name in "ab"]
    folder, package = rows(run(*jobs, sections=sections), outside.hub_models)
    assert (folder.state, package.state) == ("not ready", "not ready")
    assert "`models.a.path`" in folder.fix
    assert "pip install" in package.fix


# --- Servers -----


def hosted(url: str, **server: Any) -> dict[str, Any]:
    """Sections of a configuration whose LLM is on a server."""
    return {
        "annotators": {"hosted": {"engine": "openai", "served_model_name": "llm"}},
        "performance": {"annotate": {"server": {"url": url, **server}}},
    }


def served(url: str, **server: Any) -> list[Row]:
    """What is said of a server."""
    sections = hosted(url, **server)
    return rows(run(job("annotate_relsel", annotator="hosted"), sections=sections), outside.servers)


def listing(*names: str, key: str = "") -> Callable[[str, dict[str, str]], Reply]:
    """A server of these models, maybe behind a key."""

    def reply(path: str, headers: dict[str, str]) -> Reply:
        assert path == "/v1/models"
        if key and headers.get("authorization") != f"Bearer {key}":
            return 401, {}, json.dumps({"error": f"wrong: {headers.get('authorization')}"}).encode()
        return 200, {}, json.dumps({"data": [{"id": name} for name in names]}).encode()

    return reply


def test_a_server_that_has_the_model_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test-0123456789")
    with serving(listing("llm", key="sk-test-0123456789")) as (address, _):
        key, server = served(f"{address}/v1")
    assert (key.name, key.state) == ("OPENAI_API_KEY", "ready")
    assert (server.state, server.about) == ("ready", f"{address}/v1 answers")


def test_a_server_that_lists_other_models_says_so() -> None:
    with serving(listing("other")) as (address, _):
        (row,) = served(f"{address}/v1")
    assert row.about.endswith("does not list the model llm")


def test_a_refused_key_is_not_ready_and_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-wrong-0123456789")
    with serving(listing("llm", key="sk-test-0123456789")) as (address, _):
        found = served(f"{address}/v1")
    assert found[1].state == "not ready"
    assert "401" in found[1].about
    assert "sk-wrong" not in repr(found)


def test_a_key_that_is_not_set_is_told_without_a_network() -> None:
    key, server = served("https://host.invalid/v1", api_key_env="MY_KEY")
    assert (key.name, key.state) == ("MY_KEY", "not ready")
    assert server.about.startswith("no network, so not 1 server (")


def test_a_server_of_this_machine_that_is_not_started_is_not_ready() -> None:
    (row,) = served("http://127.0.0.1:9/v1")
    assert row.state == "not ready"
    assert "start it" in row.fix


def test_a_server_of_this_machine_is_no_network() -> None:
    with serving(listing("llm")) as (address, _):
        sections = hosted(f"{address}/v1") | {"downloads": {"file": {"url": "http://host.invalid/file"}}}
        jobs = job("fetch", download="file", file="file"), job("annotate_relsel", annotator="hosted")
        network, server = rows(run(*jobs, sections=sections), outside.downloads, outside.servers)
    assert (network.kind, network.state) == ("network", "not looked at")
    assert server.state == "ready"
