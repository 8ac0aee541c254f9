"""The kind `whatif`: scenarios of a forked part of the graph, run in workers."""

from __future__ import annotations

from gemel.services.contract import Kind, Run
from gemel.services.whatif.runs import PLAN, need

RUN = "simulate"
KIND = Kind(
    name="whatif",
    title="What if",
    about="a part of the plant, forked and run on with other parameters and inputs",
    fidelity=2,
    runs=(
        Run(
            RUN,
            "a scenario beside the same plant left alone; asked for with POST /scenarios/{id}/run",
            "gemel.services.whatif.runs:simulate",
            {"type": "object", "properties": {"scenario": {"type": "string", "default": ""}}},
            need,
            memory_mb=2048,
        ),
    ),
    parameters={
        "type": "object",
        "properties": {
            PLAN: {
                "type": "object",
                "default": {},
                "description": "what the platform has made of a scenario; POST /scenarios/{id}/run",
            }
        },
    },
    example={PLAN: {}},
    per_model=False,
)
