/** What of the graph is shown. What stands keeps its place: the server places only what is new. */

import { signal } from "@preact/signals";
import { onLeave, post } from "@/core/api.ts";
import type { GraphDrawn, GraphWay } from "@/core/types.ts";

interface Shown extends GraphDrawn {
  path?: string[];
  /** Of which question it is. */
  key: string;
}

export const shownGraph = signal<Shown | null>(null);
export const graphError = signal<Error | null>(null);
export const chosenNode = signal("");
export const graphPath = signal<string[]>([]);
onLeave.add(() => (shownGraph.value = null));

let number = 0;

const standing = (): Record<string, [number, number]> => Object.fromEntries((shownGraph.peek()?.nodes ?? []).map((one) => [one.id, [one.x, one.y]]));

async function ask(key: string, question: () => Promise<GraphDrawn & { path?: string[] }>): Promise<void> {
  const mine = ++number;
  try {
    const answer = await question();
    if (mine !== number) return; // a later question is under way
    shownGraph.value = { ...answer, key };
    graphPath.value = answer.path ?? [];
    graphError.value = null;
  } catch (error) {
    if (mine === number) graphError.value = error as Error;
  }
}

/** A picture of its own; the one before is forgotten. */
export async function begin(key: string, around: string[], hops: number): Promise<void> {
  if (shownGraph.peek()?.key === key) return;
  await ask(key, () => post<GraphDrawn>("/graph", { around, hops }));
  if (around.length === 1) chosenNode.value = around[0]!;
}

/** Adds what is beside one twin; nothing moves. */
export const expand = (id: string, hops = 1): Promise<void> => ask(shownGraph.peek()?.key ?? "", () => post<GraphDrawn>("/graph", { around: [id], hops, standing: standing() }));

export const showPath = (from: string, to: string): Promise<void> => ask(shownGraph.peek()?.key ?? "", () => post<GraphWay>("/graph/path", { from, to, standing: standing() }));

/** States and alarms are asked for again; places stay. */
export function renew(): Promise<void> {
  const nodes = shownGraph.peek()?.nodes;
  const path = graphPath.peek();
  if (!nodes?.length) return Promise.resolve();
  return ask(shownGraph.peek()!.key, async () => ({ ...(await post<GraphDrawn>("/graph", { around: nodes.slice(0, 1).map((one) => one.id), hops: 0, standing: standing() })), isComplete: shownGraph.peek()!.isComplete, path }));
}
