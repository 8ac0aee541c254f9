"""Parameters of behaviour models from data: once from history, and all along.

Reading order: `space` (parameters as free numbers), `offline` (least squares from many starts, what
the data can tell), `ensemble` (an ensemble Kalman filter that follows drift), `watch` (drift of the
plant and bias of a sensor told apart), `kind` (the service).
"""
