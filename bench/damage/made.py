"""A data folder with a file of every kind that a server writes, stopped and killed.

By a real server with two ingest processes: the readings of `tests/formats` (every type of value,
merged segments with roll-ups, a log), a plant with a scenario, a service that has learnt, an
imported model, an import job, an attachment, an own shape, sessions and retained messages, events.
"""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import orjson

from app import valves
from app.inside import Device
from formats.load import ROWS, Load, prepare
from running import Running
from scene.shapes import cube

PATIENCE = 60
ATTACHMENT = "00000000-0000-4000-8000-000000000001"
SETTINGS = {"GEMEL_SEAL_ROWS": "3000", "GEMEL_WEBHOOK_PRIVATE": "true", "GEMEL_BALLAST": "65536"}
WATCH = {"kind": "anomaly", "twins": ["t-1"], "parameters": {}}


class Made:
    """One folder twice: after a clean end, and after `kill -9` with messages in the spool."""

    def __init__(self, folder: Path) -> None:
        self.stopped = folder / "stopped"
        self.killed = folder / "killed"
        self.token = ""
        self.device = ""
        """The token of a device with a session that waits for it."""


def make(folder: Path) -> Made:
    """Takes about a quarter of a minute."""
    found = Made(folder)
    running = Running(folder / "made", "--ingest-processes", "2", "--mqtt-tls", "127.0.0.1:0")
    running.environment = dict(SETTINGS)
    running.start()
    try:
        found.token = running.token
        load = Load(running)
        prepare(running, load)
        valves.put_up(running.call)
        running.call("POST", "/compact")
        found.device = _say(running)
        _learn(running)
        _keep(running)
        _tell(running)
        running.stop()
        shutil.copytree(running.data, found.stopped)
        running.start()
        _leave_in_the_spool(running, load)
    finally:
        running.kill()
    shutil.copytree(running.data, found.killed)
    shutil.rmtree(running.data)
    return found


def until(condition: Callable[[], Any], what: str) -> Any:
    end = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"{what} does not come")
        time.sleep(0.05)
    return found


def _say(running: Running) -> str:
    """A retained message, and a session for which a message waits."""
    address = running.mqtt_host, running.mqtt_port
    token = str(running.call("POST", "/tokens", {"role": "device", "twins": ["t-2"]})["token"])
    with Device(*address, "t-2", token, clean=False) as device:
        device.subscribe("devices/t-2/#")
        device.client.publish(
            "devices/t-2/telemetry", b'{"level": 2}', 1, retain=True
        ).wait_for_publish(PATIENCE)
    running.call("PATCH", "/twins/valve-1/desired", {"trim": 1.5})
    return token


def _learn(running: Running) -> None:
    """A fit, a run with its log and result, a scenario, an imported model where onnx is there."""
    running.call("PUT", "/services/watch", WATCH)
    asked = {"service": "watch", "run": "learn", "parameters": {"span": 86400 * 3000}}
    run = running.call("POST", "/runs", asked)["id"]
    done = until(lambda: (r := running.call("GET", f"/runs/{run}"))["ended"] and r, "a run")
    if done["state"] != "succeeded":
        raise AssertionError(f"the service does not learn: {done['message']}")
    running.call("PUT", "/scenarios/wider", valves.WIDER)
    running.call("POST", "/scenarios/wider/run")
    until(
        lambda: (running.call("GET", "/scenarios/wider")["run"] or {}).get("state") == "succeeded",
        "a scenario",
    )
    with running.http() as client:
        client.put("/imported-models/line", content=_model()).raise_for_status()


def _model() -> bytes:
    """y = 2 x, as an ONNX file."""
    import numpy as np
    import onnx

    make, real = onnx.helper, onnx.TensorProto.FLOAT
    ends = [[make.make_tensor_value_info(name, real, [None, 1])] for name in ("X", "said")]
    weight = onnx.numpy_helper.from_array(np.float32([[2.0]]), "W")
    node = make.make_node("MatMul", ["X", "W"], ["said"])
    graph = make.make_graph([node], "line", *ends, [weight])
    versions = [make.make_opsetid("", 13)]
    found: bytes = make.make_model(graph, opset_imports=versions, ir_version=8).SerializeToString()
    return found


def _keep(running: Running) -> None:
    """Files of people: an attachment, a shape, an import job with a wrong line."""
    with running.http() as client:
        about, kind = {"twin": "t-1"}, {"Content-Type": "text/plain"}
        place = f"/attachments/{ATTACHMENT}"
        client.put(place, params=about, content=b"looks worn", headers=kind).raise_for_status()
        client.post("/geometries", content=cube()).raise_for_status()
        client.put("/imports/plant.ndjson", content=_plant_file()).raise_for_status()
    names = {"inputBlobUri": "plant.ndjson", "outputBlobUri": "plant.log"}
    running.call("PUT", "/jobs/imports/j-1", names)
    until(lambda: running.call("GET", "/jobs/imports/j-1")["finishedDateTime"], "the job's end")
    until(lambda: (running.data / "imports" / ".plant.log.sum").exists(), "the log's sum")


def _plant_file() -> bytes:
    lines: list[Any] = [{"Section": "Header"}, {"fileVersion": "1.0.0"}, {"Section": "Twins"}]
    model = {"$model": valves.TANK}
    lines += [{"$dtId": f"tank-{number}", "$metadata": model} for number in range(3, 40)]
    lines += [{"$dtId": "wrong", "$metadata": {"$model": "dtmi:none;1"}}]
    return b"\n".join(map(orjson.dumps, lines))


def _tell(running: Running) -> None:
    """Events that a webhook has taken, so that their cursor moves; an audit checkpoint."""
    taken: list[int] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            taken.append(1)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/"
        running.call("PUT", "/endpoints/hook", {"url": url})
        running.call("PUT", "/eventroutes/all", {"endpointName": "hook", "filter": "true"})
        running.call("PUT", "/digitaltwins/told", {"$metadata": {"$model": valves.TANK}})
        until(lambda: taken, "an event")
        running.call("DELETE", "/eventroutes/all")
    finally:
        server.shutdown()
        server.server_close()
    running.call("POST", "/audit/checkpoint")


def _leave_in_the_spool(running: Running, load: Load) -> None:
    """Late and new readings in the log, then messages that nobody takes over; returns stopped."""
    load.connect()
    load.send("t-2", range(ROWS, ROWS + 50))
    load.send("t-1", range(50, 60))
    os.kill(running.process.pid, signal.SIGSTOP)
    load.send("t-2", range(900, 910))
    for device in load.devices.values():
        device.drop()
