"""Desired values: what people and programs ask a device's properties to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from gemel.core.document import Json
from gemel.twins.twin_edits import ask_desired

if TYPE_CHECKING:
    from gemel.app.platform import Platform


async def ask(platform: Platform, twin: str, values: Json, who: str) -> Json:
    """Stores what is asked, then tells the device (retained, so that it hears when it is back).

    Returns:
        All that is asked of the twin now.

    Raises:
        NotFound: there is no such twin.
        TwinInvalid: a path is not a writable property, or a value has not its type.
    """
    asked = await platform.edit(
        lambda graph, context: ask_desired(graph, context, twin, values), who, "desired"
    )
    platform.publish(f"devices/{twin}/desired", orjson.dumps(asked), True)
    return asked
