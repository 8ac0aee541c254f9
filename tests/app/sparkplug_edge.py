"""An edge node by pysparkplug: `python sparkplug_edge.py PORT`, with pysparkplug on the path.

Reads lines (`data VALUE`, `end`) and writes what it hears as lines.
"""

import sys
import time

from pysparkplug import Client, DataType, Device, EdgeNode, Metric


def metric(name, kind, value):
    return Metric(timestamp=int(time.time() * 1e3), name=name, datatype=kind, value=value)


def heard(node, message):
    for one in message.payload.metrics:
        print(f"{message.topic.message_type.name} {one.name} {one.value}", flush=True)
        if one.name == "target":
            node.update_device("pump", [metric("target", DataType.INT32, one.value)])


node = EdgeNode("g", "edge", [], client=Client(client_id="edge"), cmd_callback=heard)
start = [metric("flow", DataType.DOUBLE, 12.0), metric("target", DataType.INT32, 0)]
node.register(Device("pump", start, cmd_callback=heard))
node.connect("127.0.0.1", port=int(sys.argv[1]))
print("READY", flush=True)
for line in sys.stdin:
    word, _, value = line.partition(" ")
    if word == "data":
        node.update_device("pump", [metric("flow", DataType.DOUBLE, float(value))])
    else:
        break
node.disconnect()
