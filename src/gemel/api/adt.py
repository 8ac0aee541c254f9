"""The Azure Digital Twins data plane: models, twins, relationships, queries, jobs, event routes.

Every api-version is accepted; the official SDKs work against these routes unchanged.
"""

from __future__ import annotations

from gemel.api import (
    adt_event_routes,
    adt_jobs,
    adt_models,
    adt_query,
    adt_relationships,
    adt_twins,
)
from gemel.api.routes import Route

ROUTES: list[Route] = [
    *adt_models.ROUTES,
    *adt_twins.ROUTES,
    *adt_relationships.ROUTES,
    *adt_query.ROUTES,
    *adt_jobs.ROUTES,
    *adt_event_routes.ROUTES,
]
