/** The drawn graph: one WebGL context while it is shown, given back when it is left. A chunk of its own. */

import type { GraphEdge, GraphNode } from "@/core/types.ts";
import Graph from "graphology";
import Sigma from "sigma";
import { tokenColor } from "@/core/theme.ts";
import { MUST, placeLabels } from "./graph-labels.ts";

export interface Picture {
  show: (nodes: GraphNode[], edges: GraphEdge[], chosen: string, path: ReadonlySet<string>) => void;
  fit: () => void;
  closer: (isCloser: boolean) => void;
  destroy: () => void;
}

const SIZE = 5;
const FONT = '12px "Inter", system-ui, sans-serif';

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
    renderLabels: false,
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
    drawLabels();
  });
  const measured = new Map<string, number>();
  let hovered = "";
  const colors = { words: tokenColor("fg1"), ground: tokenColor("bg1") };
  const drawLabels = (): void => {
    const pen = sigma.getCanvases()["labels"]?.getContext("2d");
    if (!pen) return;
    pen.font = FONT;
    const widthOf = (words: string): number => {
      const width = measured.get(words) ?? pen.measureText(words).width;
      measured.set(words, width);
      return width;
    };
    const words = new Map<string, string>();
    const named = graph.mapNodes((id, node) => {
      words.set(id, node["words"] as string);
      const { x, y } = sigma.framedGraphToViewport(sigma.getNodeDisplayData(id) ?? { x: -1, y: -1 });
      return { id, x, y, radius: sigma.scaleSize(node["size"] as number), width: widthOf(node["words"] as string), weight: id === hovered ? 4 * MUST : (node["weight"] as number) };
    });
    const { width, height } = sigma.getDimensions();
    const placed = placeLabels(named, width, height);
    pen.textBaseline = "middle";
    pen.lineJoin = "round";
    pen.lineWidth = 3;
    pen.strokeStyle = colors.ground;
    pen.fillStyle = colors.words;
    for (const { id, at, align, middle, more } of placed) {
      pen.textAlign = align;
      const text = more ? `${words.get(id)} +${more}` : words.get(id)!;
      pen.strokeText(text, at, middle);
      pen.fillText(text, at, middle);
    }
    box.dataset["labels"] = String(placed.length);
    box.dataset["told"] = String(placed.reduce((sum, one) => sum + one.more, placed.length));
  };
  void document.fonts.load(FONT).then(() => {
    measured.clear();
    if (box.isConnected) sigma.scheduleRender();
  });
  sigma.on("enterNode", ({ node }) => ((hovered = node), sigma.scheduleRender()));
  sigma.on("leaveNode", () => ((hovered = ""), sigma.scheduleRender()));
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
      const degrees = new Map<string, number>();
      for (const edge of edges) for (const end of [edge.source, edge.target]) degrees.set(end, (degrees.get(end) ?? 0) + 1);
      for (const node of nodes) {
        graph.mergeNode(node.id, { x: node.x, y: node.y, ...lookOf(node, degrees.get(node.id) ?? 0, chosen, path) });
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

/** Grey while normal; an alarm has its colour and its number, and its name or a count at a neighbour of its kind. */
function lookOf(node: GraphNode, degree: number, chosen: string, path: ReadonlySet<string>): Record<string, unknown> {
  const isChosen = node.id === chosen;
  const isLost = node.status === "stale" || node.status === "offline";
  // A name that others hide behind says more than one at the end of a line.
  const weight = isChosen ? 3 * MUST : path.has(node.id) ? 2 * MUST : node.priority !== null ? MUST + 5 - node.priority : isLost ? MUST : 1 + Math.min(8, degree);
  const words = `${node.priority !== null ? `[${node.priority}] ` : ""}${node.name || node.id}${isLost ? ` (${node.status})` : ""}${node.hidden ? ` +${node.hidden}` : ""}`;
  const color = isChosen || path.has(node.id) ? tokenColor("accent") : node.priority !== null ? tokenColor(`p${node.priority}`) : tokenColor(isLost ? "line2" : "body3d");
  return { words, weight, color, size: isChosen ? SIZE * 1.7 : node.priority !== null ? SIZE * 1.3 : SIZE, zIndex: isChosen ? 2 : 0 };
}
