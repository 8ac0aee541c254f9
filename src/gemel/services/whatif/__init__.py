"""What if: a part of the graph, forked as of a time, run on with other parameters and inputs.

Reading order: `attachment` (how the twins of a model behave), `fork` (what is forked), `program`
(formulas over many scenarios), `network` (all twins of a fork joined), `scenario` (what is asked),
`boundary` (what comes from outside), `variants` (who gets which draws), `march` (the run),
`figures`, `alarms`, `design` (what it comes to), `runs` and `kind` (as a run of a service).
"""
