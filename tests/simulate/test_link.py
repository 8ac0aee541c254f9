import asyncio
from types import SimpleNamespace

import orjson
import pytest

from gemel.core.clock import FakeClock
from gemel.core.errors import Forbidden, NotAuthenticated, Unavailable
from gemel.simulate.fault import parse_fault
from gemel.simulate.floor import Floor
from gemel.simulate.link import DeviceLink
from gemel.simulate.outbox import Outbox
from gemel.simulate.plant import Area
from gemel.simulate.runner import Plan, Runner


class FakeClient:
    """A client whose server confirms, refuses or is away as the test says."""

    def __init__(self, error=None, refuse=None):
        self.sent, self.filters, self.futures = [], [], []
        self.is_open = False
        self.is_holding = False
        self.was_cut = False
        self.error = error
        self.refuse = refuse

    async def start(self):
        self.is_open = True

    async def connected(self):
        if self.error:
            raise self.error

    async def subscribe(self, topic_filter, qos=1):
        self.filters.append(topic_filter)

    async def close(self):
        self.is_open = False
        for future in self.futures:
            if not future.done():
                future.set_exception(Unavailable("closed"))
        await asyncio.sleep(0)

    def reconnect(self, cause):
        self.was_cut = True

    def publish_nowait(self, topic, payload, qos=1, retain=False):
        future = asyncio.get_running_loop().create_future()
        if not self.is_open:
            future.set_exception(Unavailable("not connected"))
            return future
        self.sent.append((topic, payload))
        self.futures.append(future)
        if self.refuse and topic.startswith(self.refuse):
            future.set_exception(Forbidden(f"{topic} is not yours"))
        elif not self.is_holding:
            future.set_result(None)
        return future

    def topics(self):
        return [topic for topic, _ in self.sent]


def link_to(client, areas=("motors",), name="motor-1"):
    area = Area(areas, 1, Floor(), 1_763_800_000.0)
    made = []

    def connect(*arguments):
        made.append(arguments)
        return client

    link = DeviceLink(area, area.owner[name], connect)
    return link, made


def message(topic, body):
    payload = body if isinstance(body, bytes) else orjson.dumps(body)
    return SimpleNamespace(topic=topic, payload=payload)


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


def test_device_connects_with_a_will_and_subscribes_for_itself_and_its_parts():
    async def run():
        client = FakeClient()
        link, made = link_to(client)
        await link.up()
        await settle()
        client_id, topic, payload, _ = made[0]
        assert (client_id, topic) == ("sim-motor-1", "devices/motor-1/reported")
        assert orjson.loads(payload) == {"connected": False}
        assert client.filters == [
            "devices/motor-1/commands/#", "devices/motor-1/desired",
            "devices/motor-1-bearing/commands/#", "devices/motor-1-bearing/desired",
        ]  # fmt: skip
        topic, payload = client.sent[0]
        assert topic == "devices/motor-1/reported"
        assert orjson.loads(payload)["connected"] is True

    asyncio.run(run())


def test_telemetry_of_motor_and_bearing_carries_the_source_time():
    async def run():
        client = FakeClient()
        link, _ = link_to(client)
        link.set_time(lambda: 1_763_800_000_123)
        await link.up()
        link.publish()
        await settle()
        rows = dict(client.sent)
        for topic in ("devices/motor-1/telemetry", "devices/motor-1-bearing/telemetry"):
            body = orjson.loads(rows[topic])
            assert body["time"] == 1_763_800_000_123
            assert "speed" in body

    asyncio.run(run())


def test_command_is_done_and_answered_once():
    async def run():
        client = FakeClient()
        link, _ = link_to(client, name="motor-8")
        await link.up()
        link.receive(message("devices/motor-8/commands/setSpeed/c-1", 40))
        link.receive(message("devices/motor-8/commands/stop/c-2", b""))
        before = link.device.floor["motor-8.run"]
        link.receive(message("devices/motor-8/commands/start/c-3", None))
        link.receive(message("devices/motor-8/commands/stop/c-2", b""))  # delivered again
        await settle()
        assert (before, link.device.floor["motor-8.run"]) == (0.0, 1.0)
        assert link.device.floor["motor-8.reference"] == 0.4
        answers = [(t, orjson.loads(p)) for t, p in client.sent if "/responses/" in t]
        assert [t.rsplit("/", 1)[1] for t, _ in answers] == ["c-1", "c-2", "c-3", "c-2"]
        assert answers[0][1] == {
            "status": "succeeded", "result": {"speedSetpoint": 40.0}, "message": "",
        }  # fmt: skip
        reported = [orjson.loads(p) for t, p in client.sent if t.endswith("/reported")]
        assert reported[-1]["speedSetpoint"] == 40.0

    asyncio.run(run())


@pytest.mark.parametrize(
    ("topic", "body", "text"),
    [
        ("devices/motor-1/commands/setSpeed/c", 400, "not within"),
        ("devices/motor-1/commands/setSpeed/c", b"{", "not JSON"),
        ("devices/motor-1/commands/dance/c", b"", "knows no command"),
    ],
)
def test_command_that_fails_says_why(topic, body, text):
    async def run():
        client = FakeClient()
        link, _ = link_to(client)
        await link.up()
        link.receive(message(topic, body))
        await settle()
        answer = next(orjson.loads(p) for t, p in client.sent if "/responses/" in t)
        assert answer["status"] == "failed"
        assert text in answer["message"]

    asyncio.run(run())


def test_desired_properties_are_applied_and_reported():
    async def run():
        client = FakeClient()
        link, _ = link_to(client)
        await link.up()
        link.receive(message("devices/motor-1/desired", {"speedSetpoint": 33, "colour": 1}))
        link.receive(message("devices/motor-1/desired", b""))
        link.receive(message("devices/motor-1/desired", b"[1"))
        link.receive(message("devices/motor-1/nonsense", b""))
        await settle()
        reported = [orjson.loads(p) for t, p in client.sent if t.endswith("/reported")]
        assert reported[-1]["speedSetpoint"] == 33.0

    asyncio.run(run())


def test_readings_of_a_lost_link_are_sent_afterwards_in_order():
    async def run():
        client = FakeClient()
        link, _ = link_to(client, name="motor-8")
        await link.up()
        await settle()
        client.is_holding = True
        for n in range(3):
            link.set_time(lambda n=n: n)
            link.publish()
        await link.down(is_lost=True)
        assert client.was_cut
        await settle()
        for n in range(3, 6):
            link.set_time(lambda n=n: n)
            link.publish()
        assert len(link.outbox) == 12
        client.is_holding = False
        client.sent.clear()
        await link.up()
        await settle()
        await asyncio.wait_for(link.outbox.emptied(), 60)
        times = [
            orjson.loads(p)["time"] for t, p in client.sent if t == "devices/motor-8/telemetry"
        ]
        assert times == [0, 1, 2, 3, 4, 5]
        assert link.outbox.dropped == 0

    asyncio.run(run())


# ---- outbox -----------------------------------------------------------------------------------


def test_outbox_without_a_link_keeps_the_newest():
    async def run():
        box = Outbox(kept=5)
        for n in range(8):
            box.add("t", b"%d" % n)
        client = FakeClient()
        await client.start()
        box.open(client)
        await asyncio.wait_for(box.emptied(), 60)
        assert [p for _, p in client.sent] == [b"3", b"4", b"5", b"6", b"7"]
        assert (box.dropped, box.acknowledged) == (3, 5)

    asyncio.run(run())


def test_outbox_has_only_so_much_on_its_way():
    async def run():
        box, client = Outbox(window=3), FakeClient()
        client.is_holding = True
        await client.start()
        box.open(client)
        for n in range(10):
            box.add("t", b"%d" % n)
        assert len(client.sent) == 3
        waiting = asyncio.create_task(box.room())
        await settle()
        assert not waiting.done()
        while not waiting.done():
            next(f for f in client.futures if not f.done()).set_result(None)
            await settle()
        assert len(box) < 6

    asyncio.run(run())


def test_outbox_does_not_repeat_what_the_server_refuses():
    async def run():
        box, client = Outbox(), FakeClient(refuse="bad")
        await client.start()
        box.open(client)
        box.add("bad/x", b"1")
        box.add("good/x", b"2")
        await asyncio.wait_for(box.emptied(), 60)
        assert (box.acknowledged, box.refused) == (1, 1)
        assert isinstance(box.refusal, Forbidden)

    asyncio.run(run())


# ---- runner -----------------------------------------------------------------------------------


def run_plan(plan, clients, clock=None):
    async def run():
        def connect(client_id, *_):
            return clients.setdefault(client_id, FakeClient())

        runner = Runner(plan, Floor(), connect, clock or FakeClock())
        return runner, await runner.run(asyncio.Event())

    return asyncio.run(run())


def test_run_publishes_each_device_at_its_interval_with_plant_times():
    clients = {}
    plan = Plan(areas=("motors", "building"), speed=1000.0, start=10**18, duration=20.0)
    runner, tally = run_plan(plan, clients)
    sent = clients["sim-motor-1"].sent
    times = [orjson.loads(p)["time"] for t, p in sent if t == "devices/motor-1/telemetry"]
    assert times == [10**12 + 1000 * n for n in range(1, 21)]
    zone = [t for t in clients["sim-zone-1"].topics() if t.endswith("/telemetry")]
    assert len(zone) == 10
    assert tally.messages == sum(len(c.sent) for c in clients.values())
    assert (tally.waiting, tally.dropped, tally.seconds) == (0, 0, 20.0)
    assert not any(link.is_up for link in runner.links)


def test_runs_with_the_same_seed_send_the_same():
    plan = Plan(areas=("turbine",), speed=1000.0, start=10**18, duration=20.0, seed=3)
    one, other = {}, {}
    run_plan(plan, one)
    run_plan(plan, other)
    telemetry = [m for m in one["sim-turbine-1"].sent if m[0].endswith("telemetry")]
    assert len(telemetry) == 10
    assert telemetry == [m for m in other["sim-turbine-1"].sent if m[0].endswith("telemetry")]


def test_broken_link_is_cut_and_what_was_measured_comes_later():
    clients = {}
    fault = parse_fault("turbine-1:link-loss@4s/0s/8s")
    plan = Plan(areas=("turbine",), speed=50.0, start=10**18, duration=30.0, faults=(fault,))
    run_plan(plan, clients)
    client = clients["sim-turbine-1"]
    assert client.was_cut
    times = [orjson.loads(p)["time"] for t, p in client.sent if t.endswith("/telemetry")]
    assert sorted(set(times)) == times
    assert len(times) == 15


def test_refused_token_ends_the_run_with_the_reason():
    refused = {"sim-turbine-1": FakeClient(error=NotAuthenticated("the token is not valid"))}
    with pytest.raises(NotAuthenticated, match="the token is not valid"):
        run_plan(Plan(areas=("turbine",), speed=100.0, duration=500.0), refused)


def test_live_plant_reads_the_clock_of_the_system():
    clients, clock = {}, FakeClock(1_763_800_000_000_000_000)
    run_plan(Plan(areas=("turbine",), duration=1.0), clients, clock)
    body = orjson.loads(clients["sim-turbine-1"].sent[-1][1])
    assert body["time"] == 1_763_800_000_000
