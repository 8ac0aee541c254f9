"""The page against its targets, in a real Chromium with software graphics on the real server.

Usage: scripts/bench ui [--json] [--only NAME] [--minutes 1]

Each row is of one function of bench/page: its name, its target, and what was measured. Sizes and
counts are budgets; times are those of this machine (software graphics), so read them as +-30 %.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from against.rows import parser, tell
from page.alarms import alarm_flood
from page.checks import accessibility, pictures
from page.explorer import explorer_of_many
from page.headset import immersion
from page.live import kept_open, live_stream
from page.loading import first_load, offline, time_to_interactive
from page.rows import Bench, Row
from page.scene import idle_scene, scene_budgets
from page.trends import zoom_a_million

from e2e.browsing import ARGUMENTS, CHROMIUM

ROWS: tuple[Callable[[Bench], list[Row]], ...] = (
    first_load,
    time_to_interactive,
    scene_budgets,
    offline,
    idle_scene,
    immersion,
    zoom_a_million,
    alarm_flood,
    explorer_of_many,
    live_stream,
    accessibility,
    pictures,
)


def made_for(minutes: float) -> Callable[[Bench], list[Row]]:
    def stays_open(bench: Bench) -> list[Row]:
        return kept_open(bench, minutes)

    return stays_open


def main() -> int:
    arguments = parser(__doc__)
    arguments.add_argument("--only", help="rows of this function alone")
    arguments.add_argument("--minutes", type=float, default=1, help="that the page stays open")
    given = arguments.parse_args()
    rows_to_make = (*ROWS, made_for(given.minutes))
    with (
        tempfile.TemporaryDirectory(prefix="gemel-bench-ui-") as folder,
        sync_playwright() as play,
        ExitStack() as stack,
    ):
        browser = play.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=ARGUMENTS, chromium_sandbox=False
        )
        bench = Bench(browser, Path(folder), stack)
        wanted = [one for one in rows_to_make if given.only in (None, one.__name__)]
        tell((row for rows_of in wanted for row in rows_of(bench)), given.json, line)
        browser.close()
    return 0


def line(one: Row) -> str:
    mark = "ok " if one["ok"] else "NOT"
    return f"{mark} {one['name']:<44} {one['target']:<16} {one['value']}"


if __name__ == "__main__":
    raise SystemExit(main())
