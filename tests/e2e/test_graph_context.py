"""The graph of twins has one WebGL context, gives it back, and is drawn again when it is lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.conftest import Visit
from e2e.plants import motors, set_up
from running import Running

pytestmark = pytest.mark.browser
COUNT = """
const contexts = new Set();
const get = HTMLCanvasElement.prototype.getContext;
HTMLCanvasElement.prototype.getContext = function (kind, ...more) {
  const found = get.call(this, kind, ...more);
  if (/webgl/.test(kind) && found) contexts.add(found);
  return found;
};
window.liveContexts = () => [...contexts].filter((one) => !one.isContextLost()).length;
"""
LOSE = """() => {
  const canvas = document.querySelector("[data-testid=graph-box] canvas.sigma-edges");
  canvas.dataset.old = "1";
  canvas.getContext("webgl2").getExtension("WEBGL_lose_context").loseContext();
}"""
NEW = """() => {
  const canvas = document.querySelector("[data-testid=graph-box] canvas.sigma-edges");
  return canvas !== null && canvas.dataset.old === undefined;
}"""
# Words stand only beside nodes that were drawn; their canvas keeps its pixels.
DRAWN = """() => {
  const box = document.querySelector("[data-testid=graph-box]");
  const canvas = box?.querySelector("canvas.sigma-labels");
  if (!canvas || box.dataset.nodes !== "4") return false;
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return data.some((one, i) => i % 4 === 3 && one > 0);
}"""


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    with Running(tmp_path_factory.mktemp("graph") / "data") as running:
        set_up(running, motors(3))
        yield running


def test_the_graph_has_one_context_is_drawn_again_when_it_is_lost_and_gives_it_back(
    plant: Running, visit: Visit
) -> None:
    visitor = visit(plant)
    visitor.context.add_init_script(COUNT)
    visitor.log_in(at="/app/twins?view=graph")
    visitor.until("document.querySelector('[data-testid=graph-box]')?.dataset.nodes === '4'")
    assert visitor.page.evaluate("() => window.liveContexts()") == 1
    visitor.page.evaluate(LOSE)
    visitor.until(NEW)
    visitor.until(DRAWN)
    assert visitor.page.evaluate("() => window.liveContexts()") == 1
    visitor.move("/app/alarms")
    visitor.until("window.liveContexts() === 0")
