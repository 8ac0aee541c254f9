"""How things behave: models with parameters, inputs, states and outputs, run for many scenarios.

Reading order: `model` (the contract and `simulate`), `linear` (networks of states, stepped
exactly), `thermal`, `flow`, `machines`, `regression` (the models), `registry` (finds one by name).
"""

from gemel.services.behaviour.model import Behaviour, Quantity, Step, Trajectory, simulate
from gemel.services.behaviour.registry import behaviour_of, behaviours

__all__ = [
    "Behaviour",
    "Quantity",
    "Step",
    "Trajectory",
    "behaviour_of",
    "behaviours",
    "simulate",
]
