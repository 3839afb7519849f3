"""Servers that speak the Hugging Face hub's HTTP interface, as far as its library asks when files are fetched."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import unquote

COMMIT = "a" * 40
HIDDEN = ("HF_TOKEN", "HF_HUB_OFFLINE", "HF_ENDPOINT", "http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY")
"""Variables that decide which hub is asked, and how."""


def environment(**variables: str) -> dict[str, str]:
    """This process's environment with these variables alone to decide which hub is asked."""
    return {name: value for name, value in os.environ.items() if name not in HIDDEN} | variables


@contextmanager
def hub(status: int, code: str) -> Iterator[str]:
    """A hub that answers every request so."""

    class Refusal(_Quiet):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("X-Error-Code", code)
            self.send_header("Content-Length", "0")
            self.end_headers()

        do_HEAD = do_GET

    with _serving(Refusal) as address:
        yield address


@contextmanager
def hub_of(folder: Path, commit: str = COMMIT, damaged: str = "") -> Iterator[tuple[str, list[str]]]:
    """A hub that has a folder as its only repository, and the paths that it was asked for.

    Args:
        folder: the repository's files.
        commit: what every revision stands for.
        damaged: a file that arrives with another first byte.
    """
    asked: list[str] = []

    class Files(_Quiet):
        def do_GET(self) -> None:
            asked.append(unquote(self.path))
            if self.path.startswith("/api/"):
                names = sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())
                about = {"id": "someone/model", "sha": commit, "siblings": [{"rfilename": name} for name in names]}
                body = json.dumps(list(map(_entry, names)) if "/tree/" in self.path else about).encode()
            else:
                name = unquote(self.path).rpartition(f"/resolve/{commit}/")[2]
                body = (folder / name).read_bytes()
                if name == damaged:
                    body = b"?" + body[1:]
            self.send_response(200)
            self.send_header("ETag", f'"{hashlib.sha256(body).hexdigest()}"')
            self.send_header("X-Repo-Commit", commit)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        do_HEAD = do_GET

    def _entry(name: str) -> dict[str, object]:
        content = (folder / name).read_bytes()
        blob = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
        return {"type": "file", "path": name, "size": len(content), "oid": blob}

    with _serving(Files) as address:
        yield address, asked


class _Quiet(BaseHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
