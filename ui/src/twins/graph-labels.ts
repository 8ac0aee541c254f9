/** Which names stand in the picture of the graph, and where: none lies on another, and what has no room is counted at its neighbour. */

export interface Named {
  id: string;
  /** Of its dot, in pixels of the picture, and its radius. */
  x: number;
  y: number;
  radius: number;
  /** Of its words. */
  width: number;
  /** Who comes first; from `MUST` on it is never dropped in silence. */
  weight: number;
}

export interface Label {
  id: string;
  /** Where the words begin, have their middle or end. */
  at: number;
  align: "left" | "center" | "right";
  /** The middle of the words. */
  middle: number;
  /** How many others that must be told of stand for this place. */
  more: number;
}

export const MUST = 10;
export const LINE = 16;
/** Room for "+99" behind words that may have to speak for others. */
export const MORE_ROOM = 30;
const MOST = 120;
const GAP = 4;

type Box = [left: number, top: number, right: number, bottom: number];

const SIDES = ["left", "right", "center", "center"] as const;

const meets = (a: Box, b: Box): boolean => a[0] < b[2] && b[0] < a[2] && a[1] < b[3] && b[1] < a[3];

/** Right of the dot, left of it, below, above. */
function boxesOf(one: Named): Box[] {
  const width = one.width + (one.weight >= MUST ? MORE_ROOM : 0);
  const [off, half] = [one.radius + GAP, LINE / 2];
  const at = (left: number, middle: number): Box => [left, middle - half, left + width, middle + half];
  return [at(one.x + off, one.y), at(one.x - off - width, one.y), at(one.x - width / 2, one.y + off + half), at(one.x - width / 2, one.y - off - half)];
}

/**
 * Places the names of dots, the heaviest first, each on the first side of its dot where it meets no other name and no dot.
 * One that must be told of may lie on dots; where even that fails it is counted at the nearest such name.
 */
export function placeLabels(all: readonly Named[], width: number, height: number): Label[] {
  const inside = all.filter((one) => one.x >= 0 && one.x <= width && one.y >= 0 && one.y <= height);
  const dots = inside.map((one): Box => [one.x - one.radius, one.y - one.radius, one.x + one.radius, one.y + one.radius]);
  const found: { label: Label; box: Box; weight: number; x: number; y: number }[] = [];
  for (const one of [...inside].sort((a, b) => b.weight - a.weight || (a.id < b.id ? -1 : 1))) {
    const isMust = one.weight >= MUST;
    if (!isMust && found.length >= MOST) break;
    const free = boxesOf(one).map((box, side) => ({ box, align: SIDES[side]! })).filter(({ box }) => box[0] >= 0 && box[2] <= width && box[1] >= 0 && box[3] <= height && !found.some((other) => meets(other.box, box)));
    const clear = free.find(({ box }) => !dots.some((dot) => meets(dot, box))) ?? (isMust ? free[0] : undefined);
    if (clear) {
      const { box, align } = clear;
      const at = align === "left" ? box[0] : align === "right" ? box[2] : one.x;
      found.push({ label: { id: one.id, at, align, middle: (box[1] + box[3]) / 2, more: 0 }, box, weight: one.weight, x: one.x, y: one.y });
    } else if (isMust) {
      const speakers = found.filter((other) => other.weight >= MUST);
      const away = (other: { x: number; y: number }): number => Math.hypot(other.x - one.x, other.y - one.y);
      const nearest = speakers.reduce<(typeof speakers)[number] | null>((best, other) => (best && away(best) <= away(other) ? best : other), null);
      if (nearest) nearest.label.more += 1;
    }
  }
  return found.map((one) => one.label);
}
