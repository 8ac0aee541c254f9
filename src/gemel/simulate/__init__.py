"""The physical entity: a simulated plant that speaks real MQTT, and replay of recorded data.

Reading order: `physics` (equations, no I/O), `sensor` and `fault` (what is between the truth and a
reading), `device` (one thing with a connection), `areas` (the demo plant's devices), `plant`
(steps an area and its faults), `link` (a device's MQTT connection), `runner` (an area in time),
`supervisor` (areas as processes), `main` (`gemel simulate`), `replay` (`gemel replay`).
"""
