"""A person at the page in a real Chromium, and a watch over what the page must never do."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Dialog, Locator, Page, Request

from running import Running

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--enable-unsafe-swiftshader",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--disable-quic",
    # Letters and colours that do not follow from the machine's own settings.
    "--font-render-hinting=none",
    "--disable-lcd-text",
    "--force-color-profile=srgb",
]
DESKTOP = (1000, 700)
PHONE = (390, 844)
PATIENCE = 60_000
"""Milliseconds that a condition may take before a test fails."""

# Runs before the page's own scripts, in every page of a context.
WATCH = """
addEventListener("securitypolicyviolation", (event) => {
  console.error(`policy violated: ${event.violatedDirective} ${event.blockedURI} ${event.sample}`);
});
"""

# What sticks out to the side: scrollers that scroll sideways, and controls that cannot be seen
# because they stand beyond the edge of the window or of what cuts them off.
SIDEWAYS = """
() => {
  const found = new Set();
  const name = (one) => `${one.tagName.toLowerCase()}.${[...one.classList].join(".")}`;
  const wide = document.scrollingElement;
  if (wide.scrollWidth > innerWidth + 1) found.add(`the page is ${wide.scrollWidth} px wide`);
  const mayScroll = (one) => one.closest("pre, [role=tablist], .scrolls") !== null;
  const seen = (one) => {
    const box = one.getBoundingClientRect();
    let [left, right] = [Math.max(0, box.left), Math.min(innerWidth, box.right)];
    const isFixed = (at) => getComputedStyle(at).position === "fixed";
    if (isFixed(one)) return { box, width: right - left };
    for (let at = one.parentElement; at && !isFixed(at); at = at.parentElement) {
      if (getComputedStyle(at).overflowX === "visible") continue;
      const edge = at.getBoundingClientRect();
      [left, right] = [Math.max(left, edge.left), Math.min(right, edge.right)];
    }
    return { box, width: right - left };
  };
  for (const one of document.body.querySelectorAll("*")) {
    if (!one.checkVisibility({ visibilityProperty: true, opacityProperty: true })) continue;
    if (mayScroll(one)) continue;
    const style = getComputedStyle(one);
    if (["auto", "scroll"].includes(style.overflowX) && one.scrollWidth > one.clientWidth + 1) {
      found.add(`${name(one)} scrolls ${one.scrollWidth} px in ${one.clientWidth} px`);
    }
    if (!one.matches("a[href], button, input, select, textarea")) continue;
    if (one.closest(".visually-hidden") !== null) continue;
    const { box, width } = seen(one);
    if (box.width > 1 && width < Math.min(24, box.width) - 1) {
      const words = (one.ariaLabel ?? one.textContent).slice(0, 30);
      found.add(`${name(one)} '${words}' is cut off: ${box.left | 0} to ${box.right | 0} px`);
    }
  }
  return [...found];
}
"""


class Watch:
    """Collects what no page may do: complain, break its policy, ask other hosts, open dialogs."""

    def __init__(self, origin: str) -> None:
        self.origin = urlsplit(origin).netloc
        self.complaints: list[str] = []
        self.foreign: list[str] = []
        self.dialogs: list[str] = []

    def hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(message.text)

    def error(self, error: Any) -> None:
        self.complaints.append(f"uncaught: {error.error if hasattr(error, 'error') else error}")

    def asked(self, request: Request) -> None:
        parts = urlsplit(request.url)
        if parts.scheme not in ("data", "blob", "about") and parts.netloc != self.origin:
            self.foreign.append(request.url)

    def dialog(self, dialog: Dialog) -> None:
        self.dialogs.append(dialog.message)
        dialog.dismiss()

    def assert_clean(self, allowed: str = "") -> None:
        """Args: allowed: a pattern of complaints that the test itself brings about."""
        left = [one for one in self.complaints if not (allowed and re.search(allowed, one))]
        assert left == [], left
        assert self.foreign == []
        assert self.dialogs == []


class Visitor:
    """A fresh browser context with one page."""

    def __init__(self, browser: Browser, running: Running, **options: Any) -> None:
        width, height = options.pop("size", DESKTOP)
        self.running = running
        self.watch = Watch(running.url)
        self.allowed = ""
        """A pattern of console errors that belong to what is tested."""
        viewport = {"width": width, "height": height}
        self.context = browser.new_context(viewport=viewport, **options)  # type: ignore[arg-type]
        self.context.set_default_timeout(PATIENCE)
        self.context.add_init_script(WATCH)
        self.context.on("console", self.watch.hear)
        self.context.on("weberror", self.watch.error)
        self.context.on("request", self.watch.asked)
        self.context.on("dialog", self.watch.dialog)
        self.page: Page = self.context.new_page()

    def log_in(self, role: str = "admin", name: str = "", at: str = "") -> Visitor:
        """By a fresh link, as a person does, which ends at the overview; or, quicker, at a page."""
        if not at:
            self.page.goto(link(self.running, role, name))
            self.ready()
            return self
        token = self.running.call("POST", "/tokens", {"role": role, "name": name or role})["token"]
        bearer = {"Authorization": f"Bearer {token}"}
        assert self.context.request.post(f"{self.running.url}/session", headers=bearer).ok
        return self.open(at)

    def open(self, path: str) -> Visitor:
        self.page.goto(self.running.url + path)
        self.ready()
        return self

    def move(self, path: str) -> None:
        """To another address of the loaded page, without loading it anew."""
        self.page.evaluate(
            """(to) => {
              history.pushState(null, "", to);
              dispatchEvent(new PopStateEvent("popstate"));
            }""",
            path,
        )

    def ready(self) -> None:
        self.page.wait_for_selector("html[data-ready=true]", state="attached")

    def find(self, test_id: str, **attributes: str) -> Locator:
        """By `data-testid` and other data attributes."""
        more = "".join(f'[data-{k.replace("_", "-")}="{v}"]' for k, v in attributes.items())
        return self.page.locator(f"[data-testid={test_id}]{more}")

    def until(self, expression: str, argument: Any = None, timeout: float = PATIENCE) -> Any:
        """Waits in the page until the expression is true; returns its value."""
        if "=>" not in expression:  # a bare expression would need eval, which the policy forbids
            expression = f"() => ({expression})"
        return self.page.wait_for_function(expression, arg=argument, timeout=timeout).json_value()

    def open_palette(self) -> None:
        """Returns when what is typed is heard by it."""
        self.page.keyboard.press("Control+k")
        self.find("palette").wait_for()
        self.until("document.activeElement.closest('[data-testid=palette]') !== null")

    def sideways(self) -> list[str]:
        return self.page.evaluate(SIDEWAYS)  # type: ignore[no-any-return]

    def close(self) -> None:
        self.context.close()


@contextmanager
def visiting(browser: Browser, running: Running, **options: Any) -> Iterator[Visitor]:
    """A visitor that leaves a clean watch behind."""
    visitor = Visitor(browser, running, **options)
    try:
        yield visitor
        visitor.watch.assert_clean(visitor.allowed)
    finally:
        visitor.close()


def gemel(running: Running, *arguments: str) -> str:
    """What the command line answers, asked as a person beside the server would."""
    command = [sys.executable, "-m", "gemel", *arguments, "--data", str(running.data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def link(running: Running, role: str = "admin", name: str = "") -> str:
    return gemel(running, "link", "--role", role, *(("--name", name) if name else ()))


def eventually(ask: Callable[[], Any], what: str, seconds: float = 60.0, every: float = 0.1) -> Any:
    """The first truthy answer; fails with `what` when there is none in time."""
    end = time.monotonic() + seconds
    while True:
        answer = ask()
        if answer:
            return answer
        assert time.monotonic() < end, f"not within {seconds} s: {what}"
        time.sleep(every)  # between two askings of a condition
