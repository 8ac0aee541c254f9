/** The drawn graph: one WebGL context while it is shown, given back when it is left. A chunk of its own. */

import type { GraphEdge, GraphNode } from "@/core/types.ts";
import Graph from "graphology";
import Sigma from "sigma";
import { tokenColor } from "@/core/theme.ts";

export interface Picture {
  show: (nodes: GraphNode[], edges: GraphEdge[], chosen: string, path: ReadonlySet<string>) => void;
  fit: () => void;
  closer: (isCloser: boolean) => void;
  destroy: () => void;
}

const SIZE = 5;

interface Layers {
  elements: Record<string, HTMLCanvasElement>;
  renderHighlightedNodes: () => void;
  nodePrograms: Record<string, { render: (params: unknown) => void }>;
}

/** Sigma asks for a WebGL context for edges, nodes and hovered nodes each; here they share that of the first. */
class OneContext extends Sigma {
  override createWebGLContext(id: string, options: Record<string, unknown> = {}): WebGLRenderingContext {
    const { elements } = this as unknown as Layers;
    const canvas = elements["edges"];
    if (!canvas) return super.createWebGLContext(id, options);
    elements[id] = canvas;
    return super.createWebGLContext(id, { ...options, canvas });
  }
}

// Nothing is drawn over a hovered node; clearing that layer would take the others with it.
(OneContext.prototype as unknown as Layers).renderHighlightedNodes = () => undefined;

/** `lost` hears that the browser took the context away: the picture has to be made anew. */
export function drawGraph(box: HTMLElement, pick: (id: string) => void, open: (id: string) => void, lost: () => void): Picture {
  const graph = new Graph({ multi: true, type: "directed" });
  const sigma = new OneContext(graph, box, {
    allowInvalidContainer: true,
    labelFont: '"Inter", system-ui, sans-serif',
    labelSize: 12,
    labelColor: { color: tokenColor("fg1") },
    labelDensity: 1,
    labelGridCellSize: 90,
    labelRenderedSizeThreshold: 3,
    defaultEdgeType: "arrow",
    defaultDrawNodeHover: () => undefined,
    zIndex: true,
    stagePadding: 60,
    minCameraRatio: 0.02,
    maxCameraRatio: 20,
  });
  const { edges: canvas } = sigma.getCanvases();
  canvas?.addEventListener("webglcontextlost", lost);
  // Sigma draws edges last; on one canvas nodes have to lie over them.
  sigma.on("afterRender", () => {
    for (const program of Object.values((sigma as unknown as Layers).nodePrograms)) program.render(sigma.getRenderParams());
  });
  sigma.on("clickNode", ({ node }) => pick(node));
  sigma.on("doubleClickNode", (event) => {
    event.preventSigmaDefault();
    open(event.node);
  });
  // The frame is that of the first picture: what is added later moves nothing on the screen.
  const frame = (): void => {
    sigma.setCustomBBox(null);
    sigma.refresh();
    sigma.setCustomBBox(sigma.getBBox());
  };
  let isFramed = false;
  return {
    show(nodes, edges, chosen, path) {
      const ids = new Set(nodes.map((one) => one.id));
      if (!nodes.some((one) => graph.hasNode(one.id))) isFramed = false;
      for (const id of graph.nodes()) if (!ids.has(id)) graph.dropNode(id);
      const keys = new Set(edges.map(keyOf));
      for (const key of graph.edges()) if (!keys.has(key)) graph.dropEdge(key);
      for (const node of nodes) {
        graph.mergeNode(node.id, { x: node.x, y: node.y, ...lookOf(node, chosen, path) });
      }
      for (const edge of edges) {
        const isOn = path.has(edge.source) && path.has(edge.target);
        const look = { color: tokenColor(isOn ? "accent" : "line2"), size: isOn ? 3 : 1.2, zIndex: isOn ? 1 : 0 };
        if (graph.hasEdge(keyOf(edge))) graph.mergeEdgeAttributes(keyOf(edge), look);
        else graph.addEdgeWithKey(keyOf(edge), edge.source, edge.target, look);
      }
      box.dataset["nodes"] = String(graph.order);
      if (!isFramed && graph.order > 0) frame();
      isFramed = graph.order > 0;
    },
    fit() {
      frame();
      void sigma.getCamera().animatedReset({ duration: 0 });
    },
    closer: (isCloser) => void (isCloser ? sigma.getCamera().animatedZoom({ duration: 0 }) : sigma.getCamera().animatedUnzoom({ duration: 0 })),
    destroy() {
      canvas?.removeEventListener("webglcontextlost", lost);
      sigma.kill();
    },
  };
}

const keyOf = (edge: GraphEdge): string => `${edge.source}\n${edge.id}`;

/** Grey while normal; an alarm has its colour and its number, and is never without its label. */
function lookOf(node: GraphNode, chosen: string, path: ReadonlySet<string>): Record<string, unknown> {
  const isChosen = node.id === chosen;
  const isLost = node.status === "stale" || node.status === "offline";
  const words = `${node.priority !== null ? `[${node.priority}] ` : ""}${node.name || node.id}${isLost ? ` (${node.status})` : ""}${node.hidden ? ` +${node.hidden}` : ""}`;
  const color = isChosen || path.has(node.id) ? tokenColor("accent") : node.priority !== null ? tokenColor(`p${node.priority}`) : tokenColor(isLost ? "line2" : "body3d");
  return { label: words, color, size: isChosen ? SIZE * 1.7 : node.priority !== null ? SIZE * 1.3 : SIZE, forceLabel: isChosen || node.priority !== null || path.has(node.id), zIndex: isChosen ? 2 : 0 };
}
