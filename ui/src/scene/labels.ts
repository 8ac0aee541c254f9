/** Labels over the canvas: only for what is abnormal or chosen, never on top of each other. */

import { Vector3, type PerspectiveCamera } from "three";
import { MOST_LABELS } from "@/core/alarms.ts";
import type { Thing } from "./things.ts";

export interface Label {
  thing: Thing;
  /** What a click chooses: the thing's twin, or a part of it. */
  twin: string;
  name: string;
  words: string;
  /** 1-4, or 0 for the chosen one without an alarm. */
  priority: number;
  isActive: boolean;
  isChosen: boolean;
}

interface Slot {
  element: HTMLDivElement;
  badge: HTMLSpanElement;
  name: HTMLElement;
  words: HTMLSpanElement;
}

const HEIGHT = 26;
/** Where little room is, the most urgent are named and the others keep their colours. */
const NARROW = 560;
const MOST_NARROW = 4;
const POINT = new Vector3();
const SVG = "http://www.w3.org/2000/svg";
const SHAPES: Record<number, string> = { 1: "M1.5 1.5h13v13h-13z", 2: "M8 1.6 15 14.4H1z", 3: "M1 1.6h14L8 14.4z", 4: "M8 1a7 7 0 1 1 0 14A7 7 0 1 1 8 1z" };
const BASELINE: Record<number, string> = { 1: "11.4", 2: "13", 3: "9.6", 4: "11.4" };

export class Labels {
  #slots: Slot[] = [];
  #labels: Label[] = [];

  constructor(
    private readonly home: HTMLElement,
    private readonly choose: (twin: string) => void,
  ) {}

  /** Most urgent first: earlier labels get their place, later ones move up or wait. */
  set(labels: Label[]): void {
    this.#labels = labels.slice(0, MOST_LABELS);
    while (this.#slots.length < this.#labels.length) this.#slots.push(this.#make());
    this.#slots.forEach((slot, i) => {
      const label = this.#labels[i];
      slot.element.hidden = !label;
      if (label) fill(slot, label);
    });
  }

  layout(camera: PerspectiveCamera, width: number, height: number, covered = 0): void {
    const taken: Taken[] = [];
    const most = width < NARROW ? MOST_NARROW : MOST_LABELS;
    this.#labels.forEach((label, i) => {
      const { element } = this.#slots[i]!;
      POINT.copy(label.thing.top).project(camera);
      const isInside = POINT.z < 1 && Math.abs(POINT.x) < 1.05 && Math.abs(POINT.y) < 1.1;
      const w = element.offsetWidth || 140;
      const anchor = [(POINT.x * 0.5 + 0.5) * width, (0.5 - POINT.y * 0.5) * height] as const;
      const [x, y] = place(anchor, w, width - covered, taken);
      const isShown = isInside && y > -4 && taken.length < most;
      element.style.visibility = isShown ? "visible" : "hidden";
      if (!isShown) return;
      element.style.transform = `translate(${Math.round(x)}px, ${Math.round(y)}px)`;
      element.style.setProperty("--stem", `${Math.max(0, Math.round(anchor[1] - y - HEIGHT))}px`);
      element.style.setProperty("--at", `${Math.round(Math.max(8, Math.min(w - 8, anchor[0] - x)))}px`);
      taken.push([x, y, w, HEIGHT]);
    });
  }

  #make(): Slot {
    const element = document.createElement("div");
    element.className = "scene-label";
    element.setAttribute("aria-hidden", "true");
    const badge = document.createElement("span");
    const name = document.createElement("strong");
    const words = document.createElement("span");
    element.append(badge, name, words);
    const index = this.#slots.length;
    element.addEventListener("click", () => {
      const label = this.#labels[index];
      if (label) this.choose(label.twin);
    });
    this.home.append(element);
    return { element, badge, name, words };
  }

  dispose(): void {
    for (const slot of this.#slots) slot.element.remove();
  }
}

type Taken = [number, number, number, number];

/** Above the thing if that is free, else above to a side, else above whatever is in the way. */
function place(anchor: readonly [number, number], w: number, width: number, taken: Taken[]): [number, number] {
  const inside = (x: number): number => Math.max(4, Math.min(width - w - 4, x));
  const hit = (x: number, y: number): Taken | undefined => taken.find(([tx, ty, tw, th]) => x < tx + tw + 4 && x + w + 4 > tx && y < ty + th + 3 && y + HEIGHT + 3 > ty);
  const above = anchor[1] - HEIGHT - 12;
  for (const x of [anchor[0] - w / 2, anchor[0] - w + 14, anchor[0] - 14]) {
    for (const y of [above, above - 16, above - 32]) if (!hit(inside(x), y)) return [inside(x), y];
  }
  const x = inside(anchor[0] - w / 2);
  let y = above;
  for (let tries = 0; tries < 8; tries++) {
    const other = hit(x, y);
    if (!other) break;
    y = other[1] - HEIGHT - 4;
  }
  return [x, y];
}

function fill(slot: Slot, label: Label): void {
  slot.element.classList.toggle("chosen", label.isChosen);
  slot.name.textContent = label.name;
  if (slot.words.textContent !== label.words) slot.words.textContent = label.words;
  slot.badge.hidden = label.priority === 0;
  const look = `badge p${label.priority}${label.isActive ? "" : " outline"}`;
  if (label.priority === 0 || slot.badge.className === look) return;
  slot.badge.className = look;
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("class", "shape");
  path.setAttribute("d", SHAPES[label.priority] ?? SHAPES[4]!);
  const text = document.createElementNS(SVG, "text");
  text.setAttribute("x", "8");
  text.setAttribute("y", BASELINE[label.priority] ?? "11.4");
  text.textContent = String(label.priority);
  svg.append(path, text);
  slot.badge.replaceChildren(svg);
}
