"""What stands where on a page, and in which colours and letters: the first net under pictures."""

from __future__ import annotations

import difflib
import json
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

Outline = dict[str, Any]
NEAR = 1.5
"""Pixels that an edge may lie aside: each version of a browser rounds words in its own way."""
COLUMNS = 4

# All that is read or pressed: its name, its box, and how it is drawn.
SEEN = """
() => {
  const PARTS = "svg.icon, canvas, button, a, input, select, "
    + "section, aside, nav, header, footer, main";
  const seen = [], looks = {};
  const isSeen = (one) => one.checkVisibility({ visibilityProperty: true, opacityProperty: true })
    && one.closest(".visually-hidden") === null && one.closest("[data-testid=rate]") === null;
  for (const one of document.body.querySelectorAll("*")) {
    const words = [...one.childNodes].filter((node) => node.nodeType === 3)
      .map((node) => node.data).join("").trim().slice(0, 30);
    const isPart = words || one.matches(PARTS);
    if (!isPart || !isSeen(one)) continue;
    const box = one.getBoundingClientRect();
    const isInside = box.width && box.height && box.bottom > 0 && box.right > 0
      && box.top < innerHeight && box.left < innerWidth;
    if (!isInside) continue;
    const place = [box.left, box.top, box.right, box.bottom].map(Math.round);
    seen.push([`${one.localName}.${one.classList[0] ?? ""} ${words}`.trim(), ...place]);
    const style = getComputedStyle(one);
    const look = words
      ? `${style.color} ${style.fontSize} ${style.fontWeight} ${style.fontFamily.split(",")[0]}`
      : `${one.localName} on ${style.backgroundColor}, line ${style.borderTopColor}`;
    looks[look] = (looks[look] ?? 0) + 1;
  }
  return { seen, looks };
}
"""


def outline_of(page: Page) -> Outline:
    return page.evaluate(SEEN)  # type: ignore[no-any-return]


def kept(file: Path) -> Outline:
    return json.loads(file.read_text())  # type: ignore[no-any-return]


def keep_outline(outline: Outline, file: Path) -> None:
    """A line for each thing, so that a change of it reads well."""
    seen = ",\n".join(json.dumps(one, ensure_ascii=False) for one in outline["seen"])
    looks = json.dumps(outline["looks"], indent=0, sort_keys=True)
    file.write_text(f'{{"seen": [\n{seen}\n],\n"looks": {looks}}}\n')


def changes(was: Outline, now: Outline) -> list[str]:
    """In words: what is gone, what is new, what moved, and which looks are others."""
    found = []
    names = [[str(one[0]) for one in each["seen"]] for each in (was, now)]
    matcher = difflib.SequenceMatcher(None, *names, autojunk=False)
    for tag, first, end, first_now, end_now in matcher.get_opcodes():
        if tag != "equal":
            found += [f"'{one}' is gone" for one in names[0][first:end]]
            found += [f"'{one}' is new" for one in names[1][first_now:end_now]]
            continue
        pairs = zip(was["seen"][first:end], now["seen"][first_now:end_now], strict=True)
        for before, after in pairs:
            if any(abs(before[i] - after[i]) > NEAR for i in range(1, COLUMNS + 1)):
                found.append(f"'{before[0]}' was at {before[1:]} and is at {after[1:]}")
    for look in sorted({*was["looks"], *now["looks"]}):
        counts = [each["looks"].get(look, 0) for each in (was, now)]
        if counts[0] != counts[1]:
            found.append(f"{look}: {counts[0]} times before, {counts[1]} now")
    return found
