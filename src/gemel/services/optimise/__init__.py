"""Chooses inputs under limits, says what that should gain, and checks afterwards what it did.

Reading order: `horizon` (one input over a horizon, by linear programming), `verify` (savings
against a baseline model, with an interval).
"""
