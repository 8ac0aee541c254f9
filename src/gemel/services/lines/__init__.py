"""Lines of machines event by event: throughput, buffers, failures, and what holds them back.

Reading order: `line` (what a line is), `draws` (the random times of every job), `serial` (a serial
line as a recursion, many variants at once on the same draws), `floor` (any line, event by event in
simpy), `bottleneck` (which change raises throughput), `kind` (the service).
"""

from gemel.services.lines.bottleneck import Change, Tried, changes, tried
from gemel.services.lines.draws import Draws, draw
from gemel.services.lines.kind import KIND
from gemel.services.lines.line import Line, Station
from gemel.services.lines.serial import Outcome, simulate

__all__ = [
    "KIND",
    "Change",
    "Draws",
    "Line",
    "Outcome",
    "Station",
    "Tried",
    "changes",
    "draw",
    "simulate",
    "tried",
]
