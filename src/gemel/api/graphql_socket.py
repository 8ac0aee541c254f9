"""GraphQL over WebSocket, by the protocol `graphql-transport-ws`."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any

import orjson
from graphql import ExecutionResult, subscribe
from starlette.websockets import WebSocket, WebSocketDisconnect

from gemel.api.graphql_feeds import Watching
from gemel.api.graphql_parts import Caller
from gemel.api.graphql_run import Prepared, Unfit, answered, as_answer, prepare, schema_of
from gemel.api.session import COOKIE, authenticate, bearer, check_origin
from gemel.core.access import Principal
from gemel.core.document import Json
from gemel.core.errors import GemelError

if TYPE_CHECKING:
    from gemel.app.platform import Platform

log = logging.getLogger("gemel.graphql")
PROTOCOL = "graphql-transport-ws"
INIT_SECONDS = 10
MOST_OPERATIONS = 50
BODY_LIMIT = 1 << 20
FIELDS = frozenset({"query", "variables", "operationName", "extensions"})


class Closing(Exception):
    """The connection is to be closed with this code and reason."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason


async def serve(platform: Platform, socket: WebSocket) -> None:
    """Serves one connection until it ends."""
    if PROTOCOL not in socket.scope.get("subprotocols", ()):
        await socket.accept()
        await socket.close(4406, f"only the subprotocol {PROTOCOL} is spoken here")
        return
    await socket.accept(PROTOCOL)
    session = _Session(platform, socket)
    try:
        await session.run()
    except Closing as closing:
        await session.close(closing)
    except (WebSocketDisconnect, RuntimeError):  # the peer went away
        pass
    finally:
        await session.end()


class _Session:
    """One connection: the loop that reads, and a task for each operation."""

    def __init__(self, platform: Platform, socket: WebSocket) -> None:
        self._platform = platform
        self._socket = socket
        self._who: Principal | None = None
        self._running: dict[str, asyncio.Task[None]] = {}
        self._sending = asyncio.Lock()

    async def run(self) -> None:
        try:
            first = await asyncio.wait_for(self._receive(), INIT_SECONDS)
        except TimeoutError:
            raise Closing(4408, "Connection initialisation timeout") from None
        if first.get("type") != "connection_init":
            raise Closing(4401, "Unauthorized: send connection_init first")
        who = self._who = await self._authenticated(first.get("payload"))
        for permission in ("live:read", "twins:read"):
            if not who.allows(permission):
                raise Closing(4403, f"Forbidden: role {who.role} lacks {permission}")
        await self._send({"type": "connection_ack"})
        while True:
            await self._take(await self._receive(), who)

    async def close(self, closing: Closing) -> None:
        with contextlib.suppress(WebSocketDisconnect, RuntimeError):  # it is closed already
            await self._socket.close(closing.code, closing.reason[:120])

    async def end(self) -> None:
        tasks = list(self._running.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _authenticated(self, payload: object) -> Principal:
        """Who it is: by header or cookie as elsewhere, or by `Authorization` of the payload."""
        try:
            check_origin(self._socket)
            given = payload if isinstance(payload, dict) else {}
            header = given.get("Authorization") or given.get("authorization")
            is_known = "authorization" in self._socket.headers or COOKIE in self._socket.cookies
            if isinstance(header, str) and not is_known:
                kind, _, secret = header.partition(" ")
                found = await bearer(self._platform, secret.strip())
                if kind.lower() != "bearer" or found is None:
                    raise Closing(4403, "Forbidden: the token is not valid, or no longer")
                return found
            return await authenticate(self._platform, self._socket)
        except GemelError as error:
            raise Closing(4403, f"Forbidden: {error.message}") from error

    async def _receive(self) -> Json:
        message = await self._socket.receive()
        if message["type"] != "websocket.receive":
            raise WebSocketDisconnect(message.get("code", 1000))
        text = message.get("text") or ""
        try:
            found = orjson.loads(text) if len(text) <= BODY_LIMIT else None
        except orjson.JSONDecodeError:
            found = None
        if not isinstance(found, dict):
            raise Closing(4400, "a message must be a JSON object")
        return found

    def _is_known(self) -> bool:
        """Whether the token still stands."""
        return self._who is not None and self._platform.tokens.is_current(self._who.token)

    async def _send(self, body: Json) -> None:
        if not self._is_known():
            raise Closing(4403, "Forbidden: the token is no longer valid")
        async with self._sending:
            await self._socket.send_text(orjson.dumps(body).decode())

    async def _take(self, message: Json, who: Principal) -> None:
        kind, key = message.get("type"), message.get("id")
        if kind == "ping":
            await self._send({"type": "pong", "payload": message.get("payload")})
        elif kind == "pong":
            pass
        elif kind == "connection_init":
            raise Closing(4429, "Too many initialisation requests")
        elif kind == "complete" and isinstance(key, str):
            task = self._running.pop(key, None)
            if task is not None:
                task.cancel()
        elif kind == "subscribe" and isinstance(key, str) and 0 < len(key) <= 200:
            self._begin(key, message.get("payload"), who)
        else:
            raise Closing(4400, f"message not understood: {str(kind)[:40]}")

    def _begin(self, key: str, payload: object, who: Principal) -> None:
        if key in self._running:
            raise Closing(4409, f"Subscriber for {key} already exists")
        if len(self._running) >= MOST_OPERATIONS:
            raise Closing(4429, f"more than {MOST_OPERATIONS} operations on one connection")
        if not isinstance(payload, dict) or "query" not in payload or payload.keys() - FIELDS:
            raise Closing(4400, "payload must be {query, variables?, operationName?}")
        self._running[key] = asyncio.create_task(self._operation(key, payload, who))

    async def _operation(self, key: str, payload: Json, who: Principal) -> None:
        """Runs one operation and says how it ended."""
        try:
            try:
                await self._answers(key, payload, who)
                last: Json = {"type": "complete", "id": key}
            except Unfit as unfit:
                last = {"type": "error", "id": key, "payload": unfit.errors}
            except GemelError as error:
                extensions = {"code": error.code, "hint": error.hint}
                problem = {"message": error.message, "extensions": extensions}
                last = {"type": "error", "id": key, "payload": [problem]}
            self._running.pop(key, None)
            await self._send(last)
        except Closing as closing:
            await self.close(closing)
        except (WebSocketDisconnect, RuntimeError):
            pass  # the peer went away while we sent
        except Exception:
            log.exception("an operation of GraphQL over WebSocket failed")
            await self.close(Closing(1011, "something failed inside; it is in the server's log"))

    async def _answers(self, key: str, payload: Json, who: Principal) -> None:
        prepared = prepare(self._platform, payload)
        if not prepared.is_subscription:
            caller = Caller(self._platform.policies.seen_by(who), who)
            answer = await answered(prepared, caller)
            if "data" not in answer:
                raise Unfit(answer["errors"])
            await self._next(key, answer)
            return
        current = prepared.schema

        def is_outdated() -> bool:
            return schema_of(self._platform) is not current

        watching = Watching(self._platform, who, lambda: is_outdated() or not self._is_known())
        try:
            while True:
                await self._follow(key, prepared, watching)
                if not is_outdated() or not self._is_known():
                    return  # the feed has ended, or `complete` is not sent but the goodbye
                prepared = prepare(self._platform, payload)
                current = prepared.schema
        finally:
            watching.close()

    async def _follow(self, key: str, prepared: Prepared, watching: Watching) -> None:
        """Sends what changes until the feed ends."""
        found: Any = subscribe(
            prepared.schema,
            prepared.document,
            context_value=watching,
            variable_values=prepared.variables,
            operation_name=prepared.name,
        )
        feed = await found if hasattr(found, "__await__") else found
        if isinstance(feed, ExecutionResult):
            raise Unfit(as_answer(feed)["errors"])
        try:
            async for result in feed:
                await self._next(key, as_answer(result))
        finally:
            await feed.aclose()

    async def _next(self, key: str, answer: Json) -> None:
        await self._send({"type": "next", "id": key, "payload": answer})
