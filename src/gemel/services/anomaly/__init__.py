"""Anomalies of many signals at once: what is normal is learnt, what is not is told in episodes.

Reading order: `statistics` (how far a signal is from its own normal), `multivariate` (how far the
signals of a twin are from what they are together), `shifts` (small ones that last), `limits` (what
is beyond normal), `episodes` (one notice an excursion), `live` (samples of all twins, what
contributes), `learning` (normal from history, a run), `kind`.
"""

from gemel.services.anomaly.kind import KIND

__all__ = ["KIND"]
