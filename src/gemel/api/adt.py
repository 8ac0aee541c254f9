"""The Azure Digital Twins data plane: models, twins, components, telemetry, relationships.

Every api-version is accepted; the official SDKs work against these routes unchanged.
"""

from __future__ import annotations

from gemel.api import adt_models, adt_relationships, adt_twins
from gemel.api.routes import Route

ROUTES: list[Route] = [*adt_models.ROUTES, *adt_twins.ROUTES, *adt_relationships.ROUTES]
