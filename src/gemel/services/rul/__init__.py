"""Remaining useful life: how long each machine will go on, with an interval that holds.

Reading order: `conditions` (operating conditions and scaling), `features` (what is known at a
cycle, from the past alone), `wear` (all signals in one line), `lives` (readings cut into cycles
and lives), `trees`, `weibull` and `trend` (three levels of model), `bands` (intervals from lives
that were left out), `model` (all of these as one thing that predicts), `learning` (a run that makes
it), `live` (all twins, cycle by cycle), `planning` (who is served when, under one crew), `kind`.
"""

from gemel.services.rul.kind import KIND

__all__ = ["KIND"]
