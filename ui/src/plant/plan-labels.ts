/** Names on the plan: the most urgent at its thing, others above whatever name is in their way, or left out. */

export interface Named {
  twin: string;
  words: string;
  at: readonly [x: number, top: number];
  /** 0: chosen; then as alarms. */
  urgency: number;
}

export interface Placed extends Named {
  y: number;
}

const MOST = 30;
/** Of the size of the letters. */
const LETTER = 0.6;
const LINE = 1.1;
const TRIES = 4;

export function placed(names: readonly Named[], size: number): Placed[] {
  const found: Placed[] = [];
  for (const one of [...names].sort((a, b) => a.urgency - b.urgency).slice(0, MOST)) {
    for (let step = 0; step < TRIES; step++) {
      const y = one.at[1] - step * size * LINE;
      if (found.some((other) => areOver(other, { ...one, y }, size))) continue;
      found.push({ ...one, y });
      break;
    }
  }
  return found;
}

const areOver = (a: Placed, b: Placed, size: number): boolean => Math.abs(a.y - b.y) < size && Math.abs(a.at[0] - b.at[0]) < ((a.words.length + b.words.length) / 2) * size * LETTER;
