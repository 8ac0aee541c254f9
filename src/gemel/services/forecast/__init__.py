"""Forecasts of any signal with bands, and energy baselines for measurement and verification.

Reading order: `models` (seasonal naive, ridge on centred lags), `bands` (how wide, from errors on
data they were not made from), `baseline` (energy against weather, savings with their interval),
`kind` and `study` (the service).
"""

from gemel.services.forecast.kind import KIND

__all__ = ["KIND"]
