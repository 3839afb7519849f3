"""What a user is told where the hub does not hand a model out, in the words of a hub that is asked over HTTP."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from command_line import arguments, write_configuration

MODEL = {"hub": "someone/no-model", "revision": "v9"}


@contextmanager
def hub(status: int, code: str) -> Iterator[str]:
    """A hub that answers every request so."""

    class Refusal(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusal) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def prepare(root: Path, folder: Path, model: Mapping[str, str] = MODEL, **environment: str) -> str:
    """The error with which `prepare.py model` ends."""
    hidden = ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_ENDPOINT", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
    inherited = {name: value for name, value in os.environ.items() if name not in hidden}
    output = folder / "bert"
    config = write_configuration(folder / "config.yaml", models={"bert": model})
    job = subprocess.run(
        [
            *(sys.executable, root / "workflow/scripts/prepare.py"),
            *arguments("model", config=config, model="bert", output=output),
        ],
        env=inherited | {"HF_HOME": str(folder / "cache"), **environment},
        capture_output=True,
        text=True,
    )
    assert job.returncode == 1, job.stderr
    assert not output.exists()
    error = job.stderr.splitlines()[-1]
    assert error.startswith("error: the hub model ")
    assert "`models.bert." in error
    return error


@pytest.mark.parametrize(
    ("status", "code", "problem", "hint"),
    [
        (
            404,
            "RepoNotFound",
            "has no such model, or it is private (no HF_TOKEN is set)",
            "correct `models.bert.hub`",
        ),
        (401, "RepoNotFound", "has no such model, or it is private", "correct `models.bert.hub`"),
        (401, "GatedRepo", "its owner asks for consent first (it is gated; no HF_TOKEN is set)", "variable HF_TOKEN"),
        (403, "GatedRepo", "its owner asks for consent first", "accept the terms on http://127.0.0.1"),
        (404, "RevisionNotFound", "it has no revision 'v9'", "correct `models.bert.revision`"),
        (400, "", "the hub answers 400", "run again later"),
    ],
)
def test_a_refusal_names_its_fix(root: Path, tmp_path: Path, status: int, code: str, problem: str, hint: str) -> None:
    with hub(status, code) as address:
        error = prepare(root, tmp_path, HF_ENDPOINT=address)
    assert problem in error
    assert hint in error.partition("Fix:")[2]


def test_a_token_is_never_shown(root: Path, tmp_path: Path) -> None:
    with hub(403, "GatedRepo") as address:
        error = prepare(root, tmp_path, HF_ENDPOINT=address, HF_TOKEN="hf_secret")
    assert "gated; the token of HF_TOKEN" in error
    assert "hf_secret" not in error


def test_a_hub_that_is_not_reached_is_told_with_the_way_around_it(root: Path, tmp_path: Path) -> None:
    error = prepare(root, tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    assert "the hub http://127.0.0.1:9 cannot be reached (" in error
    assert "hf download someone/no-model --local-dir FOLDER" in error
    assert "`models.bert.path`" in error


def test_offline_mode_is_named(root: Path, tmp_path: Path) -> None:
    error = prepare(root, tmp_path, HF_HUB_OFFLINE="1")
    assert f"it is not in the cache {tmp_path}/cache/hub, and HF_HUB_OFFLINE forbids asking the hub" in error


def test_a_name_that_cannot_be_one_is_refused(root: Path, tmp_path: Path) -> None:
    assert "correct `models.bert.hub`, OWNER/NAME" in prepare(root, tmp_path, {"hub": "a/b/c"})
