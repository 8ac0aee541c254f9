"""Which model is good enough: levels of a ladder compared by what their decisions cost.

Reading order: `advisor` (the choice, from paired costs), `wear` (machines that wear, for the
decision when to replace), `ladder` (four levels of model for that decision), `kind` (the service).
"""

from gemel.services.fidelity.advisor import Advice, advise
from gemel.services.fidelity.kind import KIND

__all__ = ["KIND", "Advice", "advise"]
