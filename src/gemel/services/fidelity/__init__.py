"""Which model is good enough: levels of a ladder compared by what their decisions cost.

Reading order: `advisor` (the choice, from paired costs), `wear` (machines that wear, for the
decision when to replace), `posterior` (what recorded lives tell of one), `ladder` (four levels of
model for that decision), `study` and `behaviours` (the runs), `kind` (the service).
"""

from gemel.services.fidelity.advisor import Advice, advise
from gemel.services.fidelity.kind import KIND

__all__ = ["KIND", "Advice", "advise"]
