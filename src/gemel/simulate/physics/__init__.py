"""Dynamics of machines: pure, seeded from outside, no I/O and no clock."""
