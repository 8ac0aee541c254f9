"""The plant in an emulated headset (iwer)."""

from __future__ import annotations

from e2e import test_xr as headset
from e2e.browsing import visiting
from page.rows import Bench, Row, at_most, row


def immersion(bench: Bench) -> list[Row]:
    """1,000 machines in an emulated headset: enter, turn to a model and back, teleport, leave."""
    with visiting(bench.browser, bench.running, size=(480, 400)) as visitor:
        visitor.context.add_init_script(headset.IWER.read_text("utf-8") + headset.HEADSET)
        bench.in_3d(visitor)
        visitor.find("enter-vr").click()
        headset.until(visitor, "xr === 'vr' && +xrFrames > 4")
        triangles = [int(headset.state(visitor)["triangles"])]
        before = headset.at(visitor)
        headset.point(visitor, (0.2, 1.4, 0), (0, -1.4, -1.4))
        headset.press(visitor)
        moved = headset.at(visitor) != before
        headset.press_panel(visitor, 0, 0)
        headset.until(visitor, "+xrScale === 50")
        headset.frames(visitor)
        triangles.append(int(headset.state(visitor)["triangles"]))
        visitor.page.evaluate("() => window.headset.activeSession?.end()")
        visitor.until("document.querySelector('canvas.plant-canvas').dataset.xr === undefined")
        errors = len(visitor.watch.complaints)
    return [
        row("XR: enter, teleport, table-top, leave", "0 errors", errors, errors == 0 and moved),
        at_most("XR: triangles of both eyes", 60_000, max(triangles), ""),
    ]
