/** A pointer over a chart: drag looks closer or selects, shift-drag and a finger move, the wheel and two fingers zoom. */

import { moved, pinched, zoomed } from "./workspace.ts";

export interface Surface {
  /** Where the lines are. */
  over: HTMLElement;
  edges: () => [number, number];
  look: (from: number, to: number) => void;
  select: (from: number, to: number) => void;
  isSelecting: () => boolean;
  hover: (at: number | null) => void;
  /** Shows the span that is dragged, in px. */
  mark: (left: number, width: number) => void;
  /** Whether a pointer holds it: what it does until it lets go is one thing. */
  hold: (isHeld: boolean) => void;
  /** A click without a drag. */
  pick: (at: number) => void;
}

const LEAST = 6;
const WHEEL = 0.0018;

/** Returns how to stop. */
export function attach(surface: Surface): () => void {
  const { over } = surface;
  let drag: { x: number; edges: [number, number]; isPan: boolean; id: number } | null = null;
  /** Fingers on the chart, where each is in px; two of them hold the moments that were under them. */
  const fingers = new Map<number, number>();
  let held: [number, number] | null = null;
  const both = (): [number, number] => [...fingers.values()] as [number, number];
  const x = (event: { clientX: number }): number => event.clientX - over.getBoundingClientRect().left;
  const timeAt = (px: number): number => {
    const [from, to] = surface.edges();
    return from + (px / Math.max(1, over.clientWidth)) * (to - from);
  };
  const down = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    surface.hold(true);
    if (event.pointerType === "touch" && fingers.size < 2) fingers.set(event.pointerId, x(event));
    if (fingers.size === 2 && fingers.has(event.pointerId)) {
      drag = null;
      held = both().map(timeAt) as [number, number];
      over.setPointerCapture(event.pointerId);
      return;
    }
    if (held) return;
    drag = { x: x(event), edges: surface.edges(), isPan: event.shiftKey || event.pointerType === "touch", id: event.pointerId };
    over.setPointerCapture(event.pointerId);
  };
  const move = (event: PointerEvent): void => {
    const at = x(event);
    if (held) {
      if (!fingers.has(event.pointerId)) return;
      fingers.set(event.pointerId, at);
      const next = pinched(held, both(), over.clientWidth);
      if (next) surface.look(...next);
      return;
    }
    if (!drag || drag.id !== event.pointerId) {
      surface.hover(timeAt(at));
      return;
    }
    if (drag.isPan) {
      const [from, to] = drag.edges;
      const by = ((drag.x - at) / Math.max(1, over.clientWidth)) * (to - from);
      if (Math.abs(drag.x - at) > 2) surface.look(...moved(drag.edges, by));
    } else surface.mark(Math.min(drag.x, at), Math.abs(at - drag.x));
  };
  const lift = (event: PointerEvent): void => {
    fingers.delete(event.pointerId);
    if (fingers.size < 2) held = null;
  };
  const letGo = (): void => {
    if (!drag && !held) surface.hold(false);
  };
  const up = (event: PointerEvent): void => {
    lift(event);
    end(event);
    letGo();
  };
  const end = (event: PointerEvent): void => {
    if (!drag || drag.id !== event.pointerId) return;
    const [start, stop] = [drag.x, x(event)];
    const { isPan } = drag;
    drag = null;
    surface.mark(0, 0);
    const [from, to] = [timeAt(Math.min(start, stop)), timeAt(Math.max(start, stop))];
    if (Math.abs(stop - start) < LEAST) surface.pick(timeAt(stop));
    else if (!isPan) (surface.isSelecting() ? surface.select : surface.look)(from, to);
  };
  const cancel = (event: PointerEvent): void => {
    lift(event);
    drag = null;
    surface.mark(0, 0);
    letGo();
  };
  const leave = (): void => {
    if (!drag) surface.hover(null);
  };
  const wheel = (event: WheelEvent): void => {
    event.preventDefault();
    const isSideways = Math.abs(event.deltaX) > Math.abs(event.deltaY);
    const edges = surface.edges();
    const step = Math.max(-300, Math.min(300, isSideways ? event.deltaX : event.deltaY)) * (event.deltaMode === 1 ? 20 : 1);
    if (isSideways) surface.look(...moved(edges, ((edges[1] - edges[0]) * step) / 1000));
    else surface.look(...zoomed(edges, timeAt(x(event)), Math.exp(step * WHEEL)));
  };
  const listeners: [string, EventListener, AddEventListenerOptions?][] = [
    ["pointerdown", down as EventListener],
    ["pointermove", move as EventListener],
    ["pointerup", up as EventListener],
    ["pointercancel", cancel as EventListener],
    ["pointerleave", leave],
    ["wheel", wheel as EventListener, { passive: false }],
  ];
  for (const [name, listener, options] of listeners) over.addEventListener(name, listener, options);
  return () => {
    for (const [name, listener] of listeners) over.removeEventListener(name, listener);
    surface.hold(false);
  };
}
