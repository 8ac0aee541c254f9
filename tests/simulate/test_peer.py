"""Against a real mosquitto: devices publish, obey and answer; replay delivers every row."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from itertools import pairwise

import pytest

MOSQUITTO = shutil.which("mosquitto") or "/usr/sbin/mosquitto"
SUB, PUB = shutil.which("mosquitto_sub"), shutil.which("mosquitto_pub")
pytestmark = [
    pytest.mark.peer,
    pytest.mark.skipif(
        not (os.access(MOSQUITTO, os.X_OK) and SUB and PUB), reason="mosquitto is not installed"
    ),
]


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    port = free_port()
    folder = tmp_path_factory.mktemp("broker")
    passwords = folder / "passwords"
    subprocess.run(
        [shutil.which("mosquitto_passwd"), "-b", "-c", passwords, "simulator", "gml_good"],
        check=True, capture_output=True,
    )  # fmt: skip
    config = folder / "mosquitto.conf"
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\npassword_file {passwords}\n"
        "max_queued_messages 100000\nmax_inflight_messages 200\nuser root\n"
    )
    process = subprocess.Popen([MOSQUITTO, "-c", config], stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 0.5).close()
            break
        except OSError:
            assert process.poll() is None, "mosquitto ended"
            assert time.monotonic() < deadline, "mosquitto does not listen"
            time.sleep(0.02)  # polls for the port
    yield port
    process.terminate()
    process.wait(60)


class Listener:
    """A mosquitto_sub that has subscribed when the constructor returns."""

    def __init__(self, port, *topics):
        # mosquitto_sub holds back what it prints into a pipe, unless stdbuf says otherwise.
        words = [
            shutil.which("stdbuf"),
            "-oL",
            SUB,
            "-p",
            str(port),
            "-q",
            "1",
            "-F",
            "%j",
            "-t",
            "sync/#",
        ]
        for topic in topics:
            words += ["-t", topic]
        self.process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
        self.port = port
        deadline = time.monotonic() + 60
        os.set_blocking(self.process.stdout.fileno(), False)
        while not self.process.stdout.readline():
            assert time.monotonic() < deadline
            publish(port, "sync/x", "1")
        os.set_blocking(self.process.stdout.fileno(), True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait(60)
        self.process.stdout.close()

    def messages(self):
        """Messages as (topic, JSON), without end."""
        for line in self.process.stdout:
            body = json.loads(line)
            if body["topic"] != "sync/x":
                payload = body["payload"]
                yield body["topic"], json.loads(payload) if isinstance(payload, str) else payload

    def until(self, wanted):
        """The first message for which `wanted(topic, body)` holds."""
        return next((t, b) for t, b in self.messages() if wanted(t, b))


def publish(port, topic, payload, *more):
    words = [PUB, "-p", str(port), "-q", "1", "-t", topic, "-m", payload, *more]
    subprocess.run(words, check=True, timeout=60)


def gemel(*words, **more):
    line = [sys.executable, "-m", "gemel", *map(str, words)]
    return subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)


def ended(process, seconds=120):
    out, err = process.communicate(timeout=seconds)
    return process.returncode, out, err


@pytest.fixture
def plant(broker):
    started = []

    def start(*words, **more):
        process = gemel("simulate", "--mqtt", f"127.0.0.1:{broker}", *words, **more)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_devices_publish_obey_and_answer(broker, plant):
    with Listener(
        broker, "devices/+/telemetry", "devices/+/responses/#", "devices/+/reported"
    ) as ear:
        process = plant("--areas", "motors", "--speed", "5", "--faults", "none")
        topic, body = ear.until(lambda t, b: t == "devices/motor-8/reported")
        assert body["connected"] is True
        _, body = ear.until(lambda t, b: t == "devices/motor-8/telemetry")
        assert body["speed"] > 1200
        publish(broker, "devices/motor-8/commands/setSpeed/c-1", "40")
        topic, body = ear.until(lambda t, b: "/responses/" in t)
        assert (topic, body["status"]) == ("devices/motor-8/responses/c-1", "succeeded")
        ear.until(lambda t, b: t == "devices/motor-8/telemetry" and b["speed"] < 600)
        publish(broker, "devices/motor-8/commands/setSpeed/c-2", "400")
        _, body = ear.until(lambda t, b: t.endswith("/responses/c-2"))
        assert body["status"] == "failed"
        publish(broker, "devices/motor-8/desired", '{"speedSetpoint": 70}', "-r")
        ear.until(lambda t, b: t == "devices/motor-8/reported" and b["speedSetpoint"] == 70)
        inject = '{"fault": "bearing-wear", "severity": 1}'
        publish(broker, "devices/motor-4/commands/injectFault/c-3", inject)
        ear.until(lambda t, b: t == "devices/motor-4-bearing/telemetry" and b["vibration"] > 7.1)
        process.send_signal(signal.SIGTERM)
        code, _, err = ended(process)
        assert (code, err) == (0, "")
    publish(broker, "devices/motor-8/desired", "", "-r")


def test_the_past_arrives_first_and_joins_the_present(broker, plant):
    with Listener(broker, "devices/motor-2/telemetry") as ear:
        begun = time.time() * 1000
        plant("--areas", "motors,utilities", "--past", "900", "--processes")
        told = []
        _, live = ear.until(lambda t, b: isinstance(b, dict) or told.append(b))
    rows = [row for body in told for row in body]
    times = [row["time"] for row in rows]
    assert len(rows) == 90
    assert times == sorted(times)
    assert {later - earlier for earlier, later in pairwise(times)} == {10_000}
    assert begun <= times[-1] <= live["time"]
    assert live["temperature"] == pytest.approx(rows[-1]["temperature"], abs=2)


def test_lost_link_publishes_the_will_and_nothing_measured_is_lost(broker, plant):
    with Listener(broker, "devices/turbine-1/#") as ear:
        words = ["--areas", "turbine", "--speed", "20", "--start", "2026-01-01T00:00:00Z"]
        words += ["--faults", "none", "--fault", "turbine-1:link-loss@20s/0s/20s"]
        process = plant(*words, "--duration", "80", "--json")
        lost = []
        times = set()
        for topic, body in ear.messages():
            if topic.endswith("/reported"):
                lost.append(body["connected"])
            elif topic.endswith("/telemetry"):
                times.add(body["time"])
            if len(times) == 40:
                break
        assert lost[:2] == [True, False]
        assert lost[-1] is True
        code, out, _ = ended(process)
        assert code == 0
        tally = json.loads(out)
        assert (tally["unconfirmed"], tally["dropped"]) == (0, 0)
        assert max(times) - min(times) == 78_000


def test_areas_run_as_processes_end_together_and_start_anew(broker, plant):
    with Listener(broker, "devices/pump-1/telemetry", "devices/line-1/telemetry") as ear:
        process = plant("--processes", "--areas", "motors,utilities,line", "--faults", "none")
        ear.until(lambda t, b: t == "devices/pump-1/telemetry" and b["flow"] > 40)
        ear.until(lambda t, b: t == "devices/line-1/telemetry")
        children = child_pids(process.pid)
        assert len(children) == 3
        os.kill(children["line"], signal.SIGKILL)
        ear.until(lambda t, b: t == "devices/line-1/telemetry" and child_is_new(process, children))
        process.send_signal(signal.SIGINT)
        code, _, err = ended(process)
        assert code == 0
        assert "line ended with code -9; starts anew" in err
        assert not any(os.path.exists(f"/proc/{pid}") for pid in children.values())


def child_pids(parent):
    """The processes of the areas, by area, in the order in which they were started."""
    with open(f"/proc/{parent}/task/{parent}/children") as file:
        pids = [int(word) for word in file.read().split()]  # numbers begin anew now and then
    return dict(zip(("motors", "utilities", "line"), pids, strict=False))


def child_is_new(process, before):
    now = set(child_pids(process.pid).values())
    return len(now) == 3 and before["line"] not in now


def test_supervisor_that_is_killed_takes_its_processes_along(broker, plant):
    with Listener(broker, "devices/line-1/#") as ear:
        process = plant("--processes", "--areas", "line", "--faults", "none")
        ear.until(lambda t, b: t == "devices/line-1/telemetry")
        (child,) = child_pids(process.pid).values()
        process.kill()
        process.wait(60)
        deadline = time.monotonic() + 60
        while os.path.exists(f"/proc/{child}") and state_of(child) != "Z":
            assert time.monotonic() < deadline
            time.sleep(0.05)  # polls for the end of a process that is not ours


def state_of(pid):
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return "Z"


@pytest.mark.parametrize("more", [[], ["--processes"]])
def test_plant_on_a_leash_ends_with_its_standard_input(broker, plant, more):
    with Listener(broker, "devices/line-1/#") as ear:
        words = ("--areas", "line", "--faults", "none", "--leashed", *more)
        process = plant(*words, stdin=subprocess.PIPE)
        ear.until(lambda t, b: t == "devices/line-1/telemetry")
        process.stdin.close()
        process.stdin = None
        assert ended(process)[0] == 0


@pytest.mark.parametrize("more", [[], ["--processes"]])
def test_token_that_is_not_accepted_is_said_and_ends(broker, plant, more):
    code, _, err = ended(plant("--areas", "turbine", "--token", "gml_bad", *more))
    assert code == 1
    assert "refused the connection" in err
    assert "Traceback" not in err


def test_good_token_is_accepted(broker, plant):
    words = ["--areas", "turbine", "--token", "gml_good", "--speed", "10", "--duration", "10"]
    code, out, err = ended(plant(*words, "--json"))
    assert (code, err) == (0, "")
    assert json.loads(out)["acknowledged"] >= 5


def test_replay_delivers_every_row(broker, tmp_path):
    path = tmp_path / "log.csv"
    rows = (f"{1_600_000_000 + n},{n % 7},{n},{n * 0.5}\n" for n in range(3000))
    path.write_text("time,unit,a,b\n" + "".join(rows))
    with Listener(broker, "devices/+/telemetry") as ear:
        words = ["--twin", "r-{}", "--twin-column", "unit", "--batch", "4", "--json"]
        process = gemel("replay", path, *words, "--mqtt", f"127.0.0.1:{broker}")
        seen = {}
        for topic, body in ear.messages():
            if not topic.startswith("devices/r-"):
                continue
            columns = body["time"] if isinstance(body["time"], list) else [body["time"]]
            cells = body["a"] if isinstance(body["a"], list) else [body["a"]]
            seen.update(zip(cells, columns, strict=True))
            if len(seen) == 3000:
                break
        code, out, err = ended(process)
    assert (code, err) == (0, "")
    summary = json.loads(out)
    assert (summary["rows"], summary["readings"], summary["twins"]) == (3000, 6000, 7)
    assert summary["acknowledged"] == summary["messages"]
    assert all(moment == (1_600_000_000 + n) * 1000 for n, moment in seen.items())


def test_replay_without_a_server_says_so():
    code, _, err = ended(gemel("replay", "/nowhere.csv", "--twin", "x"))
    assert code == 1
    assert "there is no file /nowhere.csv" in err
