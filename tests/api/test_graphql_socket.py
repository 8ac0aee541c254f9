"""GraphQL subscriptions with a real client, and the protocol's refusals over a bare WebSocket."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import orjson
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from app.inside import MODELS, PUMP, WAIT_SECONDS, Inside, inside, until

gql = pytest.importorskip("gql", reason="the extra graphql is not installed")

from gql.transport.exceptions import TransportQueryError  # noqa: E402
from gql.transport.websockets import WebsocketsTransport  # noqa: E402

from gemel.live.hub import EVENT_LIMIT  # noqa: E402

VALUES = 'subscription { values(twins: ["p-1"], properties: ["flow"]) { value quality unit } }'
ALARMS = "subscription { alarms }"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inside]:
    with inside(tmp_path_factory.mktemp("graphql-socket")) as found:
        found.pumps("p-1", "p-2", "p-3")
        found.ask("PUT", "/rules/hot", {"model": PUMP, "when": "temperature > 80"})
        found.ingest("p-1", flow=1.5)
        yield found


Steps = list[tuple[Callable[[], Any] | None, Callable[[Any], bool]]]


def follow(server: Inside, query: str, steps: Steps, role: str = "viewer", name: str = "") -> None:
    """Does each step, once all before it were seen, then reads until its answer comes."""
    token = server.token(role, name=name)

    async def run() -> None:
        transport = WebsocketsTransport(
            server.url.replace("http", "ws") + "/graphql",
            headers={"Authorization": f"Bearer {token}"},
            connect_args={"proxy": None},
        )
        async with gql.Client(transport=transport) as session:
            answers = session.subscribe(gql.gql(query))
            for act, is_expected in steps:
                if act is not None:
                    await asyncio.to_thread(act)
                await asyncio.wait_for(_until(answers, is_expected), WAIT_SECONDS)
            await answers.aclose()

    asyncio.run(run())


async def _until(answers: AsyncIterator[Any], is_expected: Callable[[Any], bool]) -> None:
    heard = []
    async for answer in answers:
        heard.append(answer)
        if is_expected(answer):
            return
    raise AssertionError(f"the subscription ended after {heard}")


def test_values_come_now_and_as_they_change(server: Inside) -> None:
    server.ingest("p-1", flow=1.5)
    follow(
        server,
        VALUES,
        [
            (None, lambda a: a["values"] == [{"value": 1.5, "quality": "good", "unit": ""}]),
            (lambda: server.ingest("p-1", flow=2.5), lambda a: a["values"][0]["value"] == 2.5),
        ],
    )


def test_a_property_that_had_no_series_yet_is_followed(server: Inside) -> None:
    query = 'subscription { values(twins: ["p-3"]) { property value } }'
    expected = {"property": "mode", "value": "slow"}
    follow(
        server,
        'subscription { twin(id: "p-3") { ... on Pump { mode { value } } } }',
        [
            (None, lambda a: a["twin"]["mode"] is None),
            (lambda: server.ingest("p-3", mode="slow"), lambda a: a["twin"]["mode"] is not None),
        ],
    )
    follow(server, query, [(None, lambda a: a["values"] == [expected])])


def test_a_twin_comes_with_each_edit_and_ends_with_it(server: Inside) -> None:
    server.pumps("gone")
    patch = [{"op": "add", "path": "/target", "value": 8}]
    follow(
        server,
        'subscription { twin(id: "gone") { id ... on Pump { target { value } } } }',
        [
            (None, lambda a: a["twin"] == {"id": "gone", "target": None}),
            (
                lambda: server.ask("PATCH", "/digitaltwins/gone", patch),
                lambda a: a["twin"]["target"] == {"value": 8},
            ),
            (lambda: server.ask("DELETE", "/digitaltwins/gone"), lambda a: a["twin"] is None),
        ],
    )


def test_alarms_come_as_they_are_raised(server: Inside) -> None:
    follow(
        server,
        'subscription { alarms(twin: "p-2") }',
        [
            (None, lambda a: a["alarms"] == []),
            (
                lambda: server.ingest("p-2", temperature=90),
                lambda a: [x["twin"] for x in a["alarms"]] == ["p-2"],
            ),
        ],
    )


def test_a_subscription_outlives_a_change_of_models(server: Inside) -> None:
    model = {**MODELS[2], "@id": "dtmi:test:Shed;1"}

    def change() -> None:
        server.ask("POST", "/models", [model])
        server.ingest("p-1", flow=7.5)

    follow(
        server,
        VALUES,
        [(None, lambda a: True), (change, lambda a: a["values"][0]["value"] == 7.5)],
    )


def test_policies_hide_values_and_twins_at_once(server: Inside) -> None:
    policy = {"who": {"names": ["eva"]}, "twins": ["p-1"], "properties": ["flow"]}
    hidden = {**policy, "twins": ["p-2"]}
    server.ask("PUT", "/policies/eva", policy)
    query = 'subscription { twin(id: "p-1") { ... on Pump { flow { value } mode { value } } } }'
    server.ingest("p-1", mode="quick")
    follow(
        server,
        query,
        [
            (None, lambda a: a["twin"]["flow"] is not None and a["twin"]["mode"] is None),
            (lambda: server.ask("PUT", "/policies/eva", hidden), lambda a: a["twin"] is None),
        ],
        "engineer",
        "eva",
    )
    with pytest.raises(TransportQueryError, match="no twin 'p-1'"):
        follow(server, query, [(None, lambda a: True)], "engineer", "eva")
    server.ask("DELETE", "/policies/eva")


def test_what_is_too_costly_or_wrong_is_refused(server: Inside) -> None:
    many = orjson.dumps([f"t-{n}" for n in range(501)]).decode()
    for query, words in [
        (f"subscription {{ values(twins: {many}) {{ value }} }}", "twins: 501"),
        ('subscription { values(twins: ["none"]) { value } }', "no twin 'none'"),
        ("subscription { nothing }", "Cannot query field"),
    ]:
        with pytest.raises(TransportQueryError, match=words):
            follow(server, query, [(None, lambda a: True)])
    accept = {"accept": "application/graphql-response+json"}
    answer = server.http.post("/graphql", json={"query": VALUES}, headers=accept)
    assert answer.status_code == 400
    assert "WebSocket" in answer.json()["errors"][0]["message"]


# ---- the protocol ----------------------------------------------------------------------------


def opened(server: Inside, token: str = "", protocol: str = "graphql-transport-ws") -> Any:
    return connect(
        server.url.replace("http", "ws") + "/graphql",
        additional_headers={"Authorization": f"Bearer {token}"} if token else {},
        subprotocols=[Subprotocol(protocol)],
        proxy=None,
    )


def say(socket: ClientConnection, **message: Any) -> None:
    socket.send(orjson.dumps(message).decode())


def hear(socket: ClientConnection) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(socket.recv(WAIT_SECONDS))
    return found


def _hear_all(socket: ClientConnection) -> None:
    while True:
        socket.recv(WAIT_SECONDS)


def code_of(socket: ClientConnection) -> int:
    """The code the server closes with."""
    with pytest.raises(ConnectionClosed) as caught:
        _hear_all(socket)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code


def test_a_token_may_come_with_connection_init(server: Inside) -> None:
    with opened(server) as socket:
        token = f"Bearer {server.token('viewer')}"
        say(socket, type="connection_init", payload={"Authorization": token})
        assert hear(socket) == {"type": "connection_ack"}
        say(socket, type="ping", payload={"n": 1})
        assert hear(socket) == {"type": "pong", "payload": {"n": 1}}
        say(socket, type="subscribe", id="q", payload={"query": '{ twin(id: "p-1") { id } }'})
        data = {"data": {"twin": {"id": "p-1"}}}
        assert hear(socket) == {"type": "next", "id": "q", "payload": data}
        assert hear(socket) == {"type": "complete", "id": "q"}


INIT = {"type": "connection_init"}
ENDLESS = {"type": "subscribe", "id": "a", "payload": {"query": ALARMS}}


@pytest.mark.parametrize(
    ("messages", "code"),
    [
        ([ENDLESS], 4401),
        ([INIT, INIT], 4429),
        ([INIT, ENDLESS, ENDLESS], 4409),
        ([INIT, {"type": "what"}], 4400),
        ([INIT, {"type": "subscribe", "id": "a", "payload": {}}], 4400),
        ([INIT, *({**ENDLESS, "id": str(n)} for n in range(51))], 4429),
    ],
)
def test_what_breaks_the_protocol_is_closed_with_its_code(
    server: Inside, messages: list[dict[str, Any]], code: int
) -> None:
    with opened(server, server.token("viewer")) as socket:
        for message in messages:
            say(socket, **message)
        assert code_of(socket) == code
    until(lambda: not server.call(lambda: list(server.platform.hub.watchers)), "its watchers to go")


def test_nobody_other_origins_and_other_protocols_are_closed(server: Inside) -> None:
    for token in ("gml_wrong", server.token("device", "p-1")):
        with opened(server, token) as socket:
            say(socket, **INIT)
            assert code_of(socket) == 4403
    with opened(server) as socket:
        say(socket, **INIT)
        assert code_of(socket) == 4403
    with opened(server) as socket:
        say(socket, **INIT, payload={"Authorization": "Bearer gml_wrong"})
        assert code_of(socket) == 4403
    with opened(server, protocol="graphql-ws") as socket:
        assert code_of(socket) == 4406


def test_a_token_that_expires_ends_the_connection(server: Inside) -> None:
    with opened(server, server.token("viewer", name="short", seconds=86_400)) as socket:
        say(socket, **INIT)
        say(socket, **ENDLESS)
        hear(socket), hear(socket)
        server.clock.advance(2 * 86_400)
        assert code_of(socket) == 4403


def test_a_slow_subscriber_gets_the_newest_and_the_alarms_that_stand(server: Inside) -> None:
    query = {"query": ALARMS}
    with opened(server, server.token("viewer")) as socket:
        say(socket, **INIT)
        say(socket, type="subscribe", id="a", payload=query)
        assert hear(socket)["type"] == "connection_ack"
        standing = hear(socket)["payload"]["data"]["alarms"]

        def flood() -> None:
            for number in range(EVENT_LIMIT + 10):
                alarm = {"id": f"x-{number}", "twin": "p-1"}
                server.platform.hub.event({"type": "alarm", "alarm": alarm})

        server.call(flood)
        while True:
            heard = hear(socket)["payload"]["data"]["alarms"]
            assert len(heard) <= 500
            if heard == standing:
                break
