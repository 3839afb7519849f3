"""Fetching from a real server on this machine that fails in every way a server does."""

from __future__ import annotations

import hashlib
import logging
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from command_line import arguments, write_configuration

from utility_annotation.common.errors import InputError
from utility_annotation.io.downloads import Patience, fetch_file
from utility_annotation.settings import Download

CONTENT = bytes(hashlib.sha256(b"%d" % number).digest()[0] for number in range(3_000_000))
MD5, SHA256 = hashlib.md5(CONTENT).hexdigest(), hashlib.sha256(CONTENT).hexdigest()
ZEROS = "0" * 32
QUICK = Patience(attempts=3, pause=0.01, timeout=5.0)


@dataclass
class Server:
    """What is served, how, and what was asked for."""

    url: str = ""
    content: bytes = CONTENT
    ranges: bool = True
    tag: str | None = '"one"'
    modified: str | None = None
    """Last-Modified."""
    heeds_version: bool = True
    """Whether If-Range counts."""
    headers: dict[str, str] = field(default_factory=dict)
    """Stated in place of the right ones."""
    states_length: bool = True
    statuses: list[int] = field(default_factory=list)
    """Answered before anything else, one a request."""
    breaks: list[int] = field(default_factory=list)
    """Bytes after which the connection is broken off, one a request."""
    hangs: bool = False
    redirect: str = ""
    """Where /moved/ leads; empty for the file itself."""
    step: float = 0.0
    """Seconds between blocks of 64 KiB."""
    requests: list[dict[str, Any]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def sent(self) -> int:
        return sum(request["sent"] for request in self.requests)

    def download(self, **keys: Any) -> Download:
        return Download(**({"url": self.url, "md5": MD5, "bytes": len(CONTENT)} | keys))


def _handler(server: Server) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def log_message(self, *_: Any) -> None:
            pass

        def do_GET(self) -> None:
            request: dict[str, Any] = {"path": self.path, "range": self.headers["Range"], "sent": 0}
            server.requests.append(request)
            if server.hangs:
                server.released.wait(30)
                return
            if server.statuses:
                self._answer(server.statuses.pop(0), b"", {})
                return
            if self.path.startswith("/moved/"):
                self._answer(302, b"", {"Location": server.redirect or self.path.removeprefix("/moved")})
                return
            self._send_file(request)

        def _send_file(self, request: dict[str, Any]) -> None:
            start, whole = 0, len(server.content)
            headers = {"ETag": server.tag} if server.tag else {}
            headers |= {"Last-Modified": server.modified} if server.modified else {}
            asked = re.fullmatch(r"bytes=(\d+)-", self.headers["Range"] or "")
            same = not server.heeds_version or self.headers["If-Range"] in (None, server.tag, server.modified)
            if server.ranges and asked and same:
                start = int(asked[1])
                if start >= whole:
                    self._answer(416, b"", {"Content-Range": f"bytes */{whole}"})
                    return
                headers["Content-Range"] = f"bytes {start}-{whole - 1}/{whole}"
            body = server.content[start:]
            if server.states_length:
                headers["Content-Length"] = str(len(body))
            stop = server.breaks.pop(0) if server.breaks else len(body)
            self.send_response(206 if "Content-Range" in headers else 200)
            for name, value in (headers | server.headers).items():
                self.send_header(name, value)
            self.end_headers()
            try:
                for at in range(0, min(stop, len(body)), 1 << 16):
                    block = body[at : min(at + (1 << 16), stop)]
                    self.wfile.write(block)
                    request["sent"] += len(block)
                    time.sleep(server.step)
            except OSError:
                pass

        def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
            self.send_response(status)
            for name, value in (headers | {"Content-Length": str(len(body))}).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

    return Handler


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    state = Server()
    listening = ThreadingHTTPServer(("127.0.0.1", 0), _handler(state))
    state.url = f"http://127.0.0.1:{listening.server_port}/files/a.bin"
    threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield state
    state.released.set()
    listening.shutdown()
    listening.server_close()


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "raw" / "a" / "a.bin"


def failure(server: Server, output: Path, patience: Patience = QUICK, **keys: Any) -> str:
    """The message of a fetch that must fail, and must leave no file at the target."""
    with pytest.raises(InputError, match="Fix: ") as caught:
        fetch_file(server.download(**keys), output, patience)
    assert not output.exists()
    return str(caught.value)


def left(output: Path) -> list[str]:
    return sorted(path.name for path in output.parent.iterdir())


def test_a_good_file_arrives_alone(server: Server, output: Path) -> None:
    fetch_file(server.download(), output, QUICK)
    assert output.read_bytes() == CONTENT
    assert left(output) == ["a.bin"]
    assert [request["range"] for request in server.requests] == [None]


def test_a_redirect_is_followed(server: Server, output: Path) -> None:
    fetch_file(server.download(url=server.url.replace("/files/", "/moved/files/")), output, QUICK)
    assert output.read_bytes() == CONTENT
    assert [request["path"] for request in server.requests] == ["/moved/files/a.bin", "/files/a.bin"]


def test_the_proxy_of_the_environment_is_asked(server: Server, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", server.url.removesuffix("/files/a.bin"))
    fetch_file(server.download(url="http://publisher.invalid/files/a.bin"), output, QUICK)
    assert server.requests[0]["path"] == "http://publisher.invalid/files/a.bin"


@pytest.mark.parametrize("proxy", ["http://me:secret-word@127.0.0.1:9", "http://me:secret-word@sign@host.invalid:9"])
def test_the_password_of_a_proxy_is_not_shown(
    server: Server, output: Path, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("http_proxy", proxy)
    message = failure(server, output, Patience(attempts=1), url="http://publisher.invalid/files/a.bin")
    assert "secret-word" not in message
    assert "secret-word" not in str(InputError(f"{proxy} is no proxy.", hint="correct it."))
    assert "://***@" in str(InputError(f"{proxy} is no proxy.", hint="correct it."))


@pytest.mark.parametrize("states_length", [True, False])
def test_without_a_published_checksum_the_one_found_is_logged(
    server: Server, output: Path, caplog: pytest.LogCaptureFixture, states_length: bool
) -> None:
    server.states_length = states_length
    with caplog.at_level(logging.INFO):
        fetch_file(server.download(md5=None, bytes=None), output, QUICK)
    assert output.read_bytes() == CONTENT
    assert SHA256 in caplog.text


def test_progress_is_logged(server: Server, output: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO):
        fetch_file(server.download(), output, QUICK)
    assert "fetching a.bin: 3,000,000 of 3,000,000 bytes" in caplog.text


def test_a_wrong_checksum_names_both_and_leaves_nothing(server: Server, output: Path) -> None:
    message = failure(server, output, md5=ZEROS)
    assert all(part in message for part in (server.url, ZEROS, MD5, "`md5`"))
    assert left(output) == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("md5", [MD5, None])
def test_a_sha256_checksum_is_checked_too(server: Server, output: Path, md5: str | None) -> None:
    fetch_file(server.download(md5=md5, sha256=SHA256), output, QUICK)
    output.unlink()
    message = failure(server, output, md5=md5, sha256="0" * 64)
    assert f"its sha256 is {SHA256} and not the published {'0' * 64}" in message
    assert left(output) == []


def test_a_partial_of_a_file_with_a_sha256_alone_is_continued(server: Server, output: Path) -> None:
    server.tag = None
    leave_partial(server, output, 1_000_000, md5=None, sha256=SHA256)
    fetch_file(server.download(md5=None, sha256=SHA256), output, QUICK)
    assert output.read_bytes() == CONTENT
    assert server.requests[0]["range"] == "bytes=1000000-"


@pytest.mark.parametrize("difference", [-1, 1])
def test_a_wrong_size_is_refused_before_the_body_is_read(server: Server, output: Path, difference: int) -> None:
    server.step = 0.1
    message = failure(server, output, bytes=len(CONTENT) + difference)
    assert f"3,000,000 bytes and not the published {len(CONTENT) + difference:,}" in message
    assert server.sent < len(CONTENT)
    assert left(output) == []


def test_more_than_the_published_size_is_not_taken(server: Server, output: Path) -> None:
    server.states_length = False
    assert "more than the published 1,000 bytes" in failure(server, output, bytes=1000)


def test_a_broken_connection_is_continued_where_it_broke(server: Server, output: Path) -> None:
    server.breaks = [1_000_000, 500_000]
    fetch_file(server.download(), output, QUICK)
    assert output.read_bytes() == CONTENT
    assert [request["range"] for request in server.requests] == [None, "bytes=1000000-", "bytes=1500000-"]
    assert server.sent == len(CONTENT)
    assert left(output) == ["a.bin"]


def test_without_a_length_the_published_size_tells_that_more_is_due(server: Server, output: Path) -> None:
    server.states_length, server.breaks = False, [1_000_000]
    fetch_file(server.download(), output, QUICK)
    assert output.read_bytes() == CONTENT


def test_a_server_that_does_not_continue_is_read_from_the_start(server: Server, output: Path) -> None:
    server.ranges, server.breaks = False, [1_000_000]
    fetch_file(server.download(), output, QUICK)
    assert output.read_bytes() == CONTENT
    assert server.sent == len(CONTENT) + 1_000_000


def test_attempts_are_bounded_and_what_came_is_kept_for_the_next_run(server: Server, output: Path) -> None:
    server.breaks = [1000, 1000, 1000]
    assert "3 attempts in a row failed" in failure(server, output)
    assert len(server.requests) == 3
    fetch_file(server.download(), output, QUICK)
    assert output.read_bytes() == CONTENT
    assert server.requests[-1]["range"] == "bytes=3000-"
    assert server.sent == len(CONTENT)


def test_headway_starts_the_count_of_attempts_anew(server: Server, output: Path) -> None:
    server.breaks = [100, 100, 1_100_000, 100, 1_100_000, 100]
    fetch_file(server.download(), output, QUICK)
    assert output.read_bytes() == CONTENT


def test_pauses_grow(server: Server, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    server.statuses = [503] * 6
    assert "503" in failure(server, output, Patience(attempts=6, pause=1.0, longest_pause=5.0))
    assert pauses == [1.0, 2.0, 4.0, 5.0, 5.0]


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_refusal_is_not_repeated(server: Server, output: Path, status: int) -> None:
    server.statuses = [status]
    message = failure(server, output)
    assert server.url in message
    assert str(status) in message
    assert len(server.requests) == 1
    assert left(output) == []


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_passing_failure_is_asked_again(server: Server, output: Path, status: int) -> None:
    server.statuses = [status, status]
    fetch_file(server.download(), output, QUICK)
    assert len(server.requests) == 3


def test_a_server_that_hangs_is_given_up(server: Server, output: Path) -> None:
    server.hangs = True
    message = failure(server, output, Patience(attempts=2, pause=0.01, timeout=0.2))
    assert "2 attempts in a row failed" in message
    assert "timed out" in message


def test_no_server(output: Path, server: Server) -> None:
    assert "Connection refused" in failure(server, output, url="http://127.0.0.1:9/a.bin")


def test_a_file_url(server: Server, output: Path, tmp_path: Path) -> None:
    (tmp_path / "mirror.bin").write_bytes(CONTENT)
    fetch_file(server.download(url=f"file://{tmp_path}/mirror.bin"), output, QUICK)
    assert output.read_bytes() == CONTENT
    output.unlink()
    assert "cannot be reached" in failure(server, output, url=f"file://{tmp_path}/absent.bin")


def leave_partial(server: Server, output: Path, size: int, **keys: Any) -> Path:
    """Let a fetch break off after so many bytes; returns the partial file."""
    server.breaks = [size]
    failure(server, output, Patience(attempts=1), **keys)
    partial = output.with_name(".a.bin.partial")
    assert partial.stat().st_size == size
    server.requests.clear()
    return partial


def test_a_damaged_partial_is_thrown_away_told_and_fetched_anew(
    server: Server, output: Path, caplog: pytest.LogCaptureFixture
) -> None:
    partial = leave_partial(server, output, 1_000_000)
    partial.write_bytes(bytes(1_000_000))
    fetch_file(server.download(), output, QUICK)
    assert output.read_bytes() == CONTENT
    assert [request["range"] for request in server.requests] == ["bytes=1000000-", None]
    assert "downloading it again" in caplog.text


def test_a_damaged_partial_and_a_wrong_file_end_in_an_error(server: Server, output: Path) -> None:
    leave_partial(server, output, 1_000_000)
    assert MD5 in failure(server, output, md5=ZEROS)
    assert left(output) == []
    assert len(server.requests) == 2


def test_a_whole_partial_is_only_checked(server: Server, output: Path) -> None:
    partial = leave_partial(server, output, 1_000_000)
    partial.write_bytes(CONTENT)
    fetch_file(server.download(), output, QUICK)
    assert output.read_bytes() == CONTENT
    assert server.requests == []


@pytest.mark.parametrize(("size", "asked"), [(3_000_000, 1), (3_000_001, 2)])
def test_a_partial_with_nothing_left_to_ask(server: Server, output: Path, size: int, asked: int) -> None:
    partial = leave_partial(server, output, 1_000_000, bytes=None)
    partial.write_bytes((CONTENT + b"x")[:size])
    fetch_file(server.download(bytes=None), output, QUICK)
    assert output.read_bytes() == CONTENT
    assert len(server.requests) == asked


def test_without_checksum_a_file_that_was_replaced_meanwhile_is_not_mixed(server: Server, output: Path) -> None:
    leave_partial(server, output, 1_000_000, md5=None)
    server.tag, server.content = '"two"', bytes(len(CONTENT))
    fetch_file(server.download(md5=None), output, QUICK)
    assert output.read_bytes() == server.content


MONDAY, TUESDAY = "Mon, 05 Jan 2026 10:00:00 GMT", "Tue, 06 Jan 2026 10:00:00 GMT"
VERSIONS = {
    "ETag": ({"tag": '"one"'}, {"tag": '"two"'}),
    "no ETag any more": ({"tag": '"one"', "modified": MONDAY}, {"tag": None, "modified": MONDAY}),
    "Last-Modified": ({"tag": None, "modified": MONDAY}, {"tag": None, "modified": TUESDAY}),
    "weak ETag": ({"tag": 'W/"one"', "modified": MONDAY}, {"tag": 'W/"two"', "modified": MONDAY}),
    "longer": ({}, {"content": bytes(len(CONTENT) + 1)}),
    "shorter": ({}, {"content": bytes(len(CONTENT) - 1)}),
}


@pytest.mark.parametrize("kind", VERSIONS)
def test_without_checksum_two_versions_are_not_spliced_by_a_server_that_ignores_if_range(
    server: Server, output: Path, kind: str
) -> None:
    server.heeds_version = False
    before, after = VERSIONS[kind]
    vars(server).update(before)
    leave_partial(server, output, 1_000_000, md5=None, bytes=None)
    vars(server).update({"content": bytes(len(CONTENT))} | after)
    fetch_file(server.download(md5=None, bytes=None), output, QUICK)
    assert [request["range"] for request in server.requests] == ["bytes=1000000-", None]
    assert output.read_bytes() == server.content


@pytest.mark.parametrize("states_length", [True, False])
def test_without_checksum_a_file_that_became_as_short_as_the_partial_is_not_taken_for_whole(
    server: Server, output: Path, states_length: bool
) -> None:
    """The server answers 416: it has no more bytes than are here."""
    server.heeds_version, server.states_length = False, states_length
    before = server.download(md5=None, bytes=None if states_length else len(CONTENT))
    server.breaks = [1_000_000]
    with pytest.raises(InputError):
        fetch_file(before, output, Patience(attempts=1))
    server.content = bytes(1_000_000)
    fetch_file(server.download(md5=None, bytes=None), output, QUICK)
    assert output.read_bytes() == server.content


def test_without_checksum_a_part_of_the_same_version_is_continued(server: Server, output: Path) -> None:
    server.tag, server.modified = None, MONDAY
    leave_partial(server, output, 1_000_000, md5=None, bytes=None)
    fetch_file(server.download(md5=None, bytes=None), output, QUICK)
    assert [request["range"] for request in server.requests] == ["bytes=1000000-"]
    assert output.read_bytes() == CONTENT


def test_a_part_of_unstated_total_must_reach_the_total_announced_before(server: Server, output: Path) -> None:
    leave_partial(server, output, 1_000_000, md5=None, bytes=None)
    server.headers = {"Content-Range": "bytes 1000000-1999999/*", "Content-Length": "1000000"}
    message = failure(server, output, Patience(attempts=1), md5=None, bytes=None)
    assert "it ended after 2,000,000 of 3,000,000 bytes" in message


@pytest.mark.parametrize("headers", [{"Content-Length": "9" * 5000}, {"Content-Length": "-1"}, {"Content-Length": "x"}])
def test_an_odd_content_length_is_no_crash(server: Server, output: Path, headers: dict[str, str]) -> None:
    server.headers = headers
    with suppress(InputError):
        fetch_file(server.download(), output, QUICK)
        assert output.read_bytes() == CONTENT


@pytest.mark.parametrize(
    "location",
    ["http://[::1", "http://127.0.0.1:port/a.bin", "ftp://127.0.0.1/a.bin", "file:///etc/hostname", "//", "é"],
)
def test_an_odd_redirect_is_an_error_that_names_the_url(server: Server, output: Path, location: str) -> None:
    server.redirect = location
    url = server.url.replace("/files/", "/moved/files/")
    assert failure(server, output, url=url).startswith(f"{url}: ")


def test_without_checksum_and_version_a_partial_is_not_trusted(server: Server, output: Path) -> None:
    server.tag = None
    leave_partial(server, output, 1_000_000, md5=None)
    fetch_file(server.download(md5=None), output, QUICK)
    assert server.requests[0]["range"] is None


def test_a_partial_of_another_url_is_not_continued(server: Server, output: Path) -> None:
    leave_partial(server, output, 1_000_000)
    fetch_file(server.download(url=server.url.replace("/files/", "/other/")), output, QUICK)
    assert server.requests[0]["range"] is None


def start_script(root: Path, server: Server, output: Path) -> subprocess.Popen[str]:
    config = write_configuration(output.parent / "config.yaml", downloads={"file": server.download()})
    options = arguments("download", config=config, download="file", output=output)
    command = [sys.executable, str(root / "workflow/scripts/prepare.py"), *options]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True)


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(600):
        if condition():
            return
        time.sleep(0.05)
    raise AssertionError("it never came to that")


@pytest.mark.process
def test_a_killed_job_is_continued_by_the_next(root: Path, server: Server, output: Path) -> None:
    partial = output.with_name(".a.bin.partial")
    server.step = 0.1
    job = start_script(root, server, output)
    wait_until(lambda: partial.exists() and partial.stat().st_size > 500_000)
    with pytest.raises(InputError, match="another process"):
        fetch_file(server.download(), output, QUICK)
    job.send_signal(signal.SIGKILL)
    job.communicate()
    server.step = 0.0
    kept = partial.stat().st_size
    job = start_script(root, server, output)
    _, log = job.communicate(timeout=60)
    assert job.returncode == 0, log
    assert output.read_bytes() == CONTENT
    assert server.requests[-1]["range"] == f"bytes={kept}-"
    assert server.requests[-1]["sent"] == len(CONTENT) - kept


@pytest.mark.process
def test_the_script_fails_with_one_line(root: Path, server: Server, output: Path) -> None:
    server.statuses = [404]
    job = start_script(root, server, output)
    _, log = job.communicate(timeout=60)
    assert job.returncode == 1
    assert log.splitlines()[-1].startswith(f"error: {server.url}: the server answered 404")


def test_a_local_copy_is_checked_and_linked(
    server: Server, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mine.bin").write_bytes(CONTENT)
    monkeypatch.chdir(tmp_path)
    fetch_file(server.download(local="mine.bin"), output, QUICK)
    assert output.readlink() == tmp_path / "mine.bin"
    assert output.read_bytes() == CONTENT
    assert server.requests == []


@pytest.mark.parametrize(("content", "problem"), [(b"x", "its size is 1 bytes"), (bytes(len(CONTENT)), MD5)])
def test_a_bad_local_copy_is_refused(
    server: Server, output: Path, tmp_path: Path, content: bytes, problem: str
) -> None:
    (tmp_path / "mine.bin").write_bytes(content)
    message = failure(server, output, local=str(tmp_path / "mine.bin"))
    assert problem in message
    assert message.startswith(f"{tmp_path}/mine.bin: ")


@pytest.mark.parametrize("name", ["absent.bin", "raw/a/a.bin"])
def test_a_local_copy_that_is_not_there(server: Server, output: Path, tmp_path: Path, name: str) -> None:
    assert "is not there" in failure(server, output, local=str(tmp_path / name))


@pytest.mark.parametrize("content", [b"", b"a few bytes"])
def test_a_small_file_is_checked_as_a_whole(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "published").write_bytes(content)
    url = (tmp_path / "published").as_uri()
    download = Download(url=url, md5=hashlib.md5(content).hexdigest(), bytes=len(content))
    fetch_file(download, tmp_path / "out" / "published", QUICK)
    assert (tmp_path / "out" / "published").read_bytes() == content
