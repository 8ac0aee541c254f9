"""Gemel, a digital twin platform: telemetry in, living twins, alarms and commands back.

Reading order: `app/platform.py` (the loop), `core` (the words), then the stages in the order in
which a reading meets them: `connect`, `ingest`, `history`, `twins`, `services`, `commands`.
"""

__version__ = "0.1.0"
