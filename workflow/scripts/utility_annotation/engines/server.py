"""A concurrent HTTP client with retries.

Proxies come from the environment (HTTP_PROXY, HTTPS_PROXY, NO_PROXY), except for a server on this machine. Redirects
are not followed, so that the key goes only to the server that the user named.
"""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import json
import logging
import os
import random
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar

import httpx2
import orjson
from pydantic import ValidationError

from ..common.errors import InputError, printable
from ..settings import ServerPerformance
from .protocol import Failure

logger = logging.getLogger(__name__)

_Answer = TypeVar("_Answer")

_FIRST_PAUSE = 1.0
"""Seconds before the second attempt; doubled for each further one, and shortened at random by up to half."""
_LONGEST_PAUSE = 60.0
"""Seconds at most, even if the server's Retry-After asks for more."""
_CONNECT_TIMEOUT = 30.0
_BUSY = (429, 502, 503)
"""Statuses that do not depend on the question."""
_REFUSED_TO_ALL = (401, 402, 404, 405)
"""Statuses that every other question would get too. So would a 403, until something has been served; later it is about
the content of the question."""
_IN_VAIN = 5
"""Failed questions in a row, or ``concurrency`` if that is more, after which the server counts as failed."""
_WORDS = 300
"""Characters of a server's explanation that a message quotes."""
_SECONDS_BETWEEN_WARNINGS = 5.0
_LARGEST_ANSWER = 1 << 26
"""Bytes of an answer, unpacked. A longer one is given up, as memory has an end."""
_SHORTEST_SECRET = 6
"""Characters of a key that is masked, in replies and in messages. A shorter one, such as EMPTY, keeps nobody out and
could be any word."""


@dataclass(frozen=True)
class Question(Generic[_Answer]):
    """One request.

    Attributes:
        path: its path below the server's URL.
        body: sent as JSON.
        read: reads the body of an answer; raises pydantic's ValidationError if it does not follow the protocol, and
            InputError if the server cannot do what the question needs.
        refused: makes a failure of a refusal, from the status and the server's message.
    """

    path: str
    body: Mapping[str, Any]
    read: Callable[[bytes], _Answer | Failure]
    refused: Callable[[int, str], Failure]


@dataclass(frozen=True)
class _Fault:
    """A failed attempt that may be repeated.

    Attributes:
        busy: whether the fault is about the server alone (no connection, too many requests), not about the question.
        pause: seconds that the server asks to wait.
    """

    reason: str
    busy: bool = False
    pause: float = 0.0


class Server:
    """Asks a server questions, several at a time.

    Faults that may pass (no connection, a broken connection, no answer in time, status 408, 429 and 5xx, an answer that
    does not follow the protocol) are tried again, with growing pauses. After the last attempt that question is a
    failure and the others go on. If the server fails altogether, the job ends instead of making every question a
    failure.

    Args:
        settings: the server and the attempts. The key is read from the environment, only here.

    Raises:
        InputError: the URL or the key is not valid.
    """

    def __init__(self, place: str, settings: ServerPerformance) -> None:
        self.place, self.settings = place, settings
        self._url = settings.url.rstrip("/")
        self._local = _is_local(settings.url, place)
        self._key = os.environ.get(settings.api_key_env, "").strip()
        if not (self._key.isascii() and self._key.isprintable()):
            raise InputError(
                f"the environment variable {settings.api_key_env} holds characters that a key cannot have.",
                hint=f"set it to the key alone (`{place}.api_key_env` names the variable).",
            )
        self._secrets = _forms_of(self._key)
        self._served = 0
        self._in_vain = 0
        self._at_the_server = 0
        self._last_warning = float("-inf")
        logging.getLogger("httpx2").setLevel(logging.WARNING)  # it logs a line per request

    def ask(
        self, questions: Iterable[tuple[int, Question[_Answer] | Failure]]
    ) -> Iterator[tuple[int, _Answer | Failure]]:
        """The server's answers, as they come, each with its question's number.

        Questions are taken from ``questions`` when there is room for them, so they can be made lazily; failures among
        them are handed on. The event loop runs only while the caller waits for an answer: there is no thread, and
        closing the iterator cancels open requests.

        Raises:
            InputError: the server cannot be reached, fails altogether, or refuses the key, the URL or the model.
        """
        with asyncio.Runner() as runner:
            client = self._client()
            under_way: dict[asyncio.Task[_Answer | Failure], int] = {}

            def finished() -> Iterator[tuple[int, _Answer | Failure]]:
                done = runner.run(_first_done(under_way))
                for task in sorted(done, key=lambda task: task.exception() is not None):
                    yield under_way.pop(task), task.result()

            try:
                for number, question in questions:
                    if isinstance(question, Failure):
                        yield number, question
                        continue
                    asking = self._ask(client, question)
                    under_way[runner.get_loop().create_task(asking)] = number
                    if len(under_way) == self.settings.concurrency:
                        yield from finished()
                while under_way:
                    yield from finished()
            finally:
                runner.run(_give_up(under_way, client))

    async def _ask(self, client: httpx2.AsyncClient, question: Question[_Answer]) -> _Answer | Failure:
        body = orjson.dumps(question.body)
        served_before = self._served
        faults: list[_Fault] = []
        while True:
            outcome = await self._try(client, question, body)
            if not isinstance(outcome, _Fault):
                return outcome
            faults.append(outcome)
            if len(faults) == self.settings.attempts:
                break
            self._warn(outcome.reason)
            growing = min(_FIRST_PAUSE * 2 ** (len(faults) - 1), _LONGEST_PAUSE)
            await asyncio.sleep(min(outcome.pause, _LONGEST_PAUSE) + growing * random.uniform(0.5, 1))
        self._in_vain += 1
        idle = self._served == served_before and not self._at_the_server
        if (idle and all(fault.busy for fault in faults)) or self._in_vain == max(_IN_VAIN, self.settings.concurrency):
            raise InputError(
                f"{self._url}: {outcome.reason.rstrip('.')}; and no other request was served in that time.",
                hint=f"fix or start the server, or correct `{self.place}.url`; if it wants fewer requests, lower "
                f"`{self.place}.concurrency` or raise `{self.place}.attempts`. Stored completions are kept.",
            )
        return Failure(f"{outcome.reason}, at the last of {len(faults)} attempts")

    async def _try(
        self, client: httpx2.AsyncClient, question: Question[_Answer], body: bytes
    ) -> _Answer | Failure | _Fault:
        """One attempt.

        Raises:
            InputError: the server would refuse every other question too.
        """
        self._at_the_server += 1
        try:
            async with asyncio.timeout(self.settings.timeout):
                response, content = await _post(client, f"{self._url}/{question.path}", body)
        except (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.ProxyError) as error:
            return _Fault(f"no connection to the server ({self._named(error)})", busy=True)
        except TimeoutError:
            return _Fault(f"no answer within {self.settings.timeout:g} s")
        except _TooLarge:
            return _Fault(f"the answer has more than {_LARGEST_ANSWER >> 20} MB")
        except httpx2.RequestError as error:
            return _Fault(f"the connection broke ({self._named(error)})")
        finally:
            self._at_the_server -= 1
        status = response.status_code
        if response.is_success:
            try:
                answer = question.read(self._masked(content))
            except ValidationError as error:
                return _Fault(f"the server's answer does not follow the protocol ({_first_problem(error)})")
            except InputError as error:
                if not self._served:
                    raise
                return _Fault(error.problem)
            self._served += 1
            self._in_vain = 0
            return answer
        if status in (408, 429) or status >= 500:
            reason = f"the server answers {status}: {self._words(response, content)}"
            return _Fault(reason, busy=status in _BUSY, pause=_retry_after(response))
        if status in _REFUSED_TO_ALL or response.is_redirect or (status == 403 and not self._served):
            raise self._refusal(response, content)
        return question.refused(status, self._words(response, content))

    def _client(self) -> httpx2.AsyncClient:
        headers = {"Content-Type": "application/json"}
        if self._key:
            headers["Authorization"] = f"Bearer {self._key}"
        at_a_time = self.settings.concurrency
        try:
            return httpx2.AsyncClient(
                headers=headers,
                timeout=httpx2.Timeout(None, connect=min(_CONNECT_TIMEOUT, self.settings.timeout)),
                limits=httpx2.Limits(max_connections=at_a_time, max_keepalive_connections=at_a_time),
                follow_redirects=False,
                trust_env=not self._local,
                verify=httpx2.create_ssl_context(),  # SSL_CERT_FILE counts for a server on this machine too
            )
        except (ValueError, httpx2.InvalidURL) as error:
            raise InputError(
                f"a proxy of the environment is not valid ({self._named(error)}).",
                hint="correct HTTP_PROXY, HTTPS_PROXY, ALL_PROXY and NO_PROXY.",
            ) from None

    def _refusal(self, response: httpx2.Response, content: bytes) -> InputError:
        """A refusal that every other question would get too."""
        words = self._words(response, content).rstrip(".")
        problem = f"{self._url}: the server answers {response.status_code}: {words}."
        if response.status_code in (401, 402, 403):
            sent = "a key was sent" if self._key else "no key was sent, since that variable is not set"
            variable = f"{self.settings.api_key_env} (`{self.place}.api_key_env`)"
            return InputError(problem, hint=f"put a valid key into the environment variable {variable}; {sent}.")
        return InputError(
            problem,
            hint=f"correct `{self.place}.url` (it usually ends in /v1) or `annotators.*.served_model_name`.",
        )

    def _words(self, response: httpx2.Response, content: bytes) -> str:
        """The server's own explanation, on one line, without the key."""
        if response.is_redirect:
            return printable(self._without_key(f"redirect to {response.headers.get('location')}"))[:_WORDS]
        try:
            said = orjson.loads(content)
            while isinstance(said, dict):
                said = next(said[key] for key in ("error", "message", "detail", "msg") if key in said)
        except (ValueError, StopIteration):
            said = content.decode("utf-8", "replace")
        text = said if isinstance(said, str) else json.dumps(said)
        return printable(self._without_key(" ".join(text.split())))[:_WORDS] or "no explanation"

    def _named(self, error: Exception) -> str:
        return printable(self._without_key(str(error))) or type(error).__name__

    def _without_key(self, text: str) -> str:
        return self._masked(text.encode("utf-8", "replace")).decode("utf-8", "replace")

    def _masked(self, content: bytes) -> bytes:
        """What a server sends, without the key: an echo of it must not reach logs, annotations or the store."""
        for secret in self._secrets:
            content = content.replace(secret, b"***")
        return content

    def _warn(self, reason: str) -> None:
        if time.monotonic() - self._last_warning >= _SECONDS_BETWEEN_WARNINGS:
            self._last_warning = time.monotonic()
            logger.warning("%s: %s; trying again", self._url, reason)


class _TooLarge(Exception):
    """An answer is larger than memory should hold."""


async def _post(client: httpx2.AsyncClient, url: str, body: bytes) -> tuple[httpx2.Response, bytes]:
    """The response to a request, and its content, unpacked.

    Raises:
        _TooLarge: the content is too long.
    """
    parts: list[bytes] = []
    size = 0
    async with client.stream("POST", url, content=body) as response:
        async for part in response.aiter_bytes():
            size += len(part)
            if size > _LARGEST_ANSWER:
                raise _TooLarge
            parts.append(part)
    return response, b"".join(parts)


def _forms_of(key: str) -> list[bytes]:
    """A key as a server may echo it: as it is, and in base64."""
    if len(key) < _SHORTEST_SECRET:
        return []
    plain = key.encode()
    return [plain, base64.b64encode(plain).rstrip(b"="), base64.b64encode(b"Bearer " + plain).rstrip(b"=")]


async def _first_done(tasks: Iterable[asyncio.Task[_Answer]]) -> set[asyncio.Task[_Answer]]:
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    return done


async def _give_up(tasks: Iterable[asyncio.Task[Any]], client: httpx2.AsyncClient) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await client.aclose()


def _is_local(url: str, place: str) -> bool:
    """Whether a URL points to this machine.

    Raises:
        InputError: it is no server's URL.
    """
    hint = f"set `{place}.url` to something like http://127.0.0.1:8000/v1."
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL:
        raise InputError("the server's URL is not valid.", hint=hint) from None
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.fragment:
        raise InputError(f"{url!r} is not the URL of a server.", hint=hint)
    host = parsed.host.rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        try:
            address = ipaddress.ip_address(socket.inet_aton(host))  # the system's other spellings, such as 127.1
        except OSError:
            return host == "localhost"
    return (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _retry_after(response: httpx2.Response) -> float:
    """Seconds that the server asks to wait: a number or a date (RFC 9110, 10.2.3)."""
    stated = response.headers.get("retry-after", "0")
    try:
        return max(float(stated), 0.0) if stated.replace(".", "", 1).isdigit() else _seconds_until(stated)
    except (ValueError, TypeError, OverflowError):
        return 0.0


def _seconds_until(date: str) -> float:
    moment = parsedate_to_datetime(date)
    return max((moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds(), 0.0)


def _first_problem(error: ValidationError) -> str:
    """Place and message of the first problem, without the text that was read."""
    problem = error.errors(include_input=False, include_url=False, include_context=False)[0]
    place = ".".join(map(str, problem["loc"]))
    return f"{place}: {problem['msg']}" if place else problem["msg"]
