"""Ways in for telemetry, each speaking a protocol of devices: `mqtt`."""
