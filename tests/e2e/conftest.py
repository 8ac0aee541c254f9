"""One Chromium for all browser tests; a fresh context for each visitor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, sync_playwright

from e2e.browsing import ARGUMENTS, CHROMIUM, Visitor, visiting
from running import Running

Visit = Callable[..., Visitor]


# Of the package and not of the session: while it lives, its event loop runs in the main thread.
@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        made = playwright.chromium.launch(
            executable_path=CHROMIUM, headless=True, args=ARGUMENTS, chromium_sandbox=False
        )
        yield made
        made.close()


@pytest.fixture
def visit(browser: Browser) -> Iterator[Visit]:
    """Opens visitors; at the end each must have had a clean watch."""
    with ExitStack() as stack:

        def come(running: Running, **options: Any) -> Visitor:
            return stack.enter_context(visiting(browser, running, **options))

        yield come
