"""An HTTP server for tests that does what it is told: answers, refuses, hangs, breaks off."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


@dataclass(frozen=True)
class Received:
    """A request as it came: ``tries`` says the how-manieth of its very body it is, from 1."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]
    tries: int


@dataclass(frozen=True)
class Answer:
    """What to do about a request.

    Attributes:
        body: sent as it is where it is bytes, else as JSON.
        seconds: how long to wait first; a server that is being closed waits no longer.
        drop_after: close the connection after this many bytes of the body; before the status line where it is negative.
    """

    body: object = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    drop_after: int | None = None


class ScriptedServer:
    """A server on a free port of this machine; use it as a context manager.

    Args:
        script: says what to do about each request.
    """

    def __init__(self, script: Callable[[Received], Answer]) -> None:
        self.script = script
        self.received: list[Received] = []
        self.most_at_once = 0
        self._at_once = 0
        self._tries: Counter[bytes] = Counter()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._connections: list[socket.socket] = []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _answer(self, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        with self._lock:
            self._tries[body] += 1
            received = Received(path, headers, json.loads(body), self._tries[body])
            self.received.append(received)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
        answer = self.script(received)
        self._closing.wait(answer.seconds)
        with self._lock:
            self._at_once -= 1
        return answer

    def _handler(outer) -> type[BaseHTTPRequestHandler]:
        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                outer._connections.append(self.request)
                super().setup()

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = outer._answer(self.path, headers, content)
                body = answer.body if isinstance(answer.body, bytes) else json.dumps(answer.body).encode()
                if answer.drop_after is not None:
                    self.close_connection = True
                    if answer.drop_after < 0:
                        return
                try:
                    self.send_response(answer.status)
                    for name, value in {"Content-Length": str(len(body)), **answer.headers}.items():
                        self.send_header(name, value)
                    self.end_headers()
                    self.wfile.write(body[: answer.drop_after])
                except ConnectionError:  # the client gave the request up
                    self.close_connection = True

            def log_message(self, format: str, *args: object) -> None:
                pass

        return Handler


def text_answer(text: str = "My selection:[[1]]", **choice: object) -> Answer:
    """A whole answer of ``/completions`` without a count of tokens."""
    return Answer({"choices": [{"index": 0, "text": text, "finish_reason": "stop", **choice}]})


def chat_answer(
    content: str | None = "My selection:[[1]]", *, finish_reason: str = "stop", usage: object = None, **message: object
) -> Answer:
    """A whole answer of ``/chat/completions``."""
    said = {"role": "assistant", "content": content, **message}
    body: dict[str, object] = {"choices": [{"index": 0, "message": said, "finish_reason": finish_reason}]}
    return Answer(body | ({} if usage is None else {"usage": usage}))
