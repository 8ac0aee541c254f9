"""What one would write otherwise: a paho subscriber that puts what it gets into a database.

    python subscriber.py STORE PORT QOS EXPECTED ADDRESS

STORE is `influx`, `postgres` or `none`; PORT the broker's. A thread writes what has come in since
the last write. Prints `ready`, and when all expected messages are stored, or none came for some
seconds, a line of JSON.
"""

from __future__ import annotations

import http.client
import json
import queue
import sys
import threading
import time
from collections.abc import Callable

import numpy as np
import orjson
import paho.mqtt.client as paho

IDLE = 6.0
MOST = 20_000
"""Readings in one write."""
Item = tuple[str, bytes]


def influx(address: str) -> Callable[[list[Item]], None]:
    connection = http.client.HTTPConnection(address, timeout=120)

    def write(items: list[Item]) -> None:
        lines = []
        for topic, payload in items:
            body = orjson.loads(payload)
            moment = body.pop("ts")
            fields = ",".join(f"{name}={value}" for name, value in body.items())
            lines.append(f"readings,device={topic.split('/')[1]} {fields} {moment}")
        connection.request("POST", "/write?db=load&precision=u", "\n".join(lines).encode())
        answer = connection.getresponse()
        text = answer.read()
        assert answer.status == 204, text

    return write


def postgres(address: str) -> Callable[[list[Item]], None]:
    import psycopg

    connection = psycopg.connect(address)

    def write(items: list[Item]) -> None:
        lines = []
        for topic, payload in items:
            body = orjson.loads(payload)
            moment, device = body.pop("ts"), topic.split("/")[1]
            lines += [f"{moment}\t{device}\t{n}\t{v}" for n, v in body.items()]
        with connection.cursor() as cursor, cursor.copy("COPY readings FROM STDIN") as copy:
            copy.write("\n".join(lines) + "\n")
        connection.commit()

    return write


def none(address: str) -> Callable[[list[Item]], None]:
    return lambda items: None


class Subscriber:
    def __init__(self, write: Callable[[list[Item]], None], expected: int) -> None:
        self.write = write
        self.expected = expected
        self.queue: queue.SimpleQueue[tuple[str, bytes, int]] = queue.SimpleQueue()
        self.stored = 0
        self.ended = 0.0
        self.delays: list[float] = []

    def take(self) -> None:
        """Writes until all is there."""
        last = time.monotonic()
        while self.stored < self.expected:
            items = []
            try:
                items.append(self.queue.get(timeout=0.5))
            except queue.Empty:
                if self.stored and time.monotonic() - last > IDLE:
                    return
                continue
            most = max(1, MOST // max(1, items[0][1].count(b":") - 1))
            while len(items) < most and not self.queue.empty():
                items.append(self.queue.get())
            self.write([(topic, payload) for topic, payload, _ in items])
            self.ended, last = time.time(), time.monotonic()
            self.stored += len(items)
            for _, payload, seen in items[:: max(1, len(items) // 50)]:
                until = seen if self.write_is_none else time.time_ns()
                self.delays.append((until // 1000 - int(payload[6:22])) / 1000)

    write_is_none = False


def main() -> None:
    store, port, qos, expected, address = sys.argv[1:]
    write = {"influx": influx, "postgres": postgres, "none": none}[store](address)
    subscriber = Subscriber(write, int(expected))
    subscriber.write_is_none = store == "none"
    client = paho.Client(paho.CallbackAPIVersion.VERSION2, "subscriber")
    if store == "none" and address:
        client.username_pw_set("subscriber", address)
    put = subscriber.queue.put
    client.on_message = lambda _, __, m: put((m.topic, m.payload, time.time_ns()))
    client.on_subscribe = lambda *_: print("ready", flush=True)
    client.connect("127.0.0.1", int(port))
    client.subscribe("devices/+/telemetry", int(qos))
    threading.Thread(target=client.loop_forever, daemon=True).start()
    subscriber.take()
    delays = subscriber.delays or [float("nan")]
    found = {
        "messages": subscriber.stored,
        "ended": subscriber.ended,
        "p50_ms": float(np.percentile(delays, 50)),
        "p99_ms": float(np.percentile(delays, 99)),
    }
    print(json.dumps(found), flush=True)
    sys.stdin.read()  # its processor time is looked up before it may end


if __name__ == "__main__":
    main()
