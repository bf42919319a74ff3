"""Asking a model over HTTP. The one module that imports an HTTP library.

Only a request whose answer nobody used is made again: nothing of an answer is handed on before its stream ended well,
and `AskedAgain` voids what was shown of it.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import httpx
from pydantic import JsonValue

from nbagent.core.errors import ContextTooLong, ModelError
from nbagent.core.model import AskedAgain, ModelAnswer, ModelFacts, ModelProgress, ModelRequest, Reasoning
from nbagent.models import chat_request, messages_request, responses_request
from nbagent.models.failures import Fault, from_answer
from nbagent.models.fields import Json, encoded
from nbagent.models.reading import Reading
from nbagent.models.retry import Patience, asked_again, asked_wait, wait_before
from nbagent.models.target import Target, is_local

Show = Callable[[ModelProgress], None]
_PATHS = {"responses": "responses", "chat": "chat/completions", "messages": "messages"}
_LARGEST_ERROR = 256 * 1024


@dataclass(frozen=True, slots=True)
class Clock:
    """Time and chance, so that tests need not wait."""

    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    dice: Callable[[], float] = random.random


@dataclass(frozen=True)
class Endpoint:
    """Where a model is and what opens the door. The headers hold the key, so they are never shown."""

    target: Target
    base_url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    window: int | None = None

    @property
    def url(self) -> str:
        """The address of the protocol, whether or not the base URL ends in its version."""
        base, _, query = self.base_url.partition("?")
        path = _PATHS[self.target.protocol]
        base = base.rstrip("/")
        if not base.endswith("/" + path):
            base = f"{base}/{path}"
        return f"{base}?{query}" if query else base


class HttpModel:
    """A model behind one of the three protocols. Close it when done.

    sent: told the address and body of each request before it leaves; what it raises keeps the request here.
    """

    sent: Callable[[str, bytes], None] | None = None

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        patience: Patience | None = None,
        clock: Clock | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._patience = patience or Patience()
        self._clock = clock or Clock()
        timeout = httpx.Timeout(None, connect=self._patience.connect, write=self._patience.bytes_idle)
        self._client = httpx.AsyncClient(
            timeout=timeout, transport=transport, trust_env=not is_local(endpoint.base_url)
        )

    @property
    def facts(self) -> ModelFacts:
        target = self._endpoint.target
        return ModelFacts(
            provider=target.provider, name=target.model, window=self._endpoint.window, images=target.images
        )

    async def ask(self, request: ModelRequest, show: Show) -> ModelAnswer:
        """Return the whole answer; see `nbagent.ports.Model`."""
        attempt, stripped = 0, False
        while True:
            attempt += 1
            try:
                return await self._try(request, show)
            except Fault as caught:
                fault = caught
            if fault.cause == "reasoning" and not stripped:
                request, stripped = without_reasoning(request), True
                show(AskedAgain(why="The provider does not accept earlier reasoning any more; it was left out."))
                continue
            wait = wait_before(attempt, fault, self._patience, self._clock.dice())
            if wait is None:
                raise self._told(fault) from None
            show(AskedAgain(why=f"{fault.said or 'The server broke off.'} Asking again in {wait:.1f} s."))
            await self._clock.sleep(wait)

    async def close(self) -> None:
        """Close the connections."""
        await self._client.aclose()

    def _told(self, fault: Fault) -> ModelError:
        sentence = fault.sentence(self._endpoint.target.provider)
        for secret in self._endpoint.headers.values():
            for word in secret.split():
                sentence = sentence.replace(word, "[key]") if len(word) >= 8 else sentence
        return ContextTooLong(sentence) if fault.cause == "context" else ModelError(sentence)

    async def _try(self, request: ModelRequest, show: Show) -> ModelAnswer:
        body = encoded(encode(request, self._endpoint.target))
        if self.sent is not None:
            self.sent(self._endpoint.url, body)
        headers = {"content-type": "application/json", "accept": "text/event-stream", **self._endpoint.headers}
        try:
            async with asyncio.timeout(self._patience.first_event):
                sent = self._client.build_request("POST", self._endpoint.url, content=body, headers=headers)
                response = await self._client.send(sent, stream=True)
        except (TimeoutError, httpx.TimeoutException):
            raise Fault("broken", "The server did not answer in time.") from None
        except (httpx.InvalidURL, httpx.UnsupportedProtocol):
            raise Fault("request", "The base URL is not a web address.") from None
        except httpx.HTTPError as error:
            raise Fault("away", f"No connection to {sent.url.host}: {error}.") from None
        try:
            return await self._read(response, show)
        finally:
            await response.aclose()

    async def _read(self, response: httpx.Response, show: Show) -> ModelAnswer:
        kind = response.headers.get("content-type", "").lower()
        if response.status_code != 200 or "html" in kind or "json" in kind:
            raise await self._refused(response, kind)
        reading = Reading(self._endpoint.target, show)
        async for chunk in self._chunks(response, reading):
            reading.feed(chunk)
            if reading.ended:
                break
        return reading.answer()

    async def _refused(self, response: httpx.Response, kind: str) -> Fault:
        raw = bytearray()
        try:
            async with asyncio.timeout(self._patience.bytes_idle):
                async for chunk in response.aiter_bytes():
                    raw += chunk
                    if len(raw) > _LARGEST_ERROR:
                        break
        except (TimeoutError, httpx.HTTPError):
            pass  # the status alone tells enough
        fault = from_answer(response.status_code, kind, bytes(raw))
        wait = asked_wait(response.headers, self._clock.now()) or fault.wait
        return Fault(fault.cause, fault.said, fault.status, wait, asked_again(response.headers))

    async def _chunks(self, response: httpx.Response, reading: Reading) -> AsyncIterator[bytes]:
        """Yield the body's bytes. Raises `Fault` when it breaks, is silent, or says nothing but that it is alive."""
        loop, patience = asyncio.get_running_loop(), self._patience
        chunks = response.aiter_bytes()
        seen, since = 0, loop.time()
        while True:
            if reading.events != seen:
                seen, since = reading.events, loop.time()
            left = since + (patience.events_idle if seen else patience.first_event) - loop.time()
            try:
                async with asyncio.timeout(min(left, patience.bytes_idle if seen else patience.first_event)):
                    chunk = await anext(chunks, None)
            except (TimeoutError, httpx.TimeoutException):
                raise Fault("broken", "The server stopped sending its answer.") from None
            except httpx.HTTPError:
                raise Fault("broken", "The connection broke in the middle of the answer.") from None
            if chunk is None:
                return
            yield chunk


def encode(request: ModelRequest, target: Target) -> dict[str, JsonValue]:
    """Return the request's body in the target's protocol."""
    match target.protocol:
        case "responses":
            return responses_request.encode(request, target)
        case "chat":
            return chat_request.encode(request, target)
        case "messages":
            return messages_request.encode(request, target)


def without_reasoning(request: ModelRequest) -> ModelRequest:
    """Return the request with no reasoning to replay: a provider refuses it after a change of key, model or history."""
    kept = tuple(item for item in request.history if not isinstance(item, Reasoning))
    return request.model_copy(update={"history": kept})


async def fetched(url: str, headers: Mapping[str, str], timeout: float) -> Json | None:
    """Return the JSON object that an address gives within `timeout` seconds, or None."""
    try:
        async with asyncio.timeout(timeout), httpx.AsyncClient(timeout=timeout, trust_env=not is_local(url)) as client:
            response = await client.get(url, headers=dict(headers))
            body = response.json() if response.status_code == 200 else None
    except (TimeoutError, ValueError, httpx.HTTPError, httpx.InvalidURL):
        return None
    return body if isinstance(body, dict) else None
