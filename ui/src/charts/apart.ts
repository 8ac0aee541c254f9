/** Where the words of limit lines stand, so that no two lie on one another. */

/** Words stand this far above their line, or below it. */
const [ABOVE, BELOW] = [3, 4];

/**
 * The lower edge of each line's words. Above the line is the first choice, then below it, then next to the
 * words of another; what a line runs through comes after what is clear.
 *
 * @param lines heights of the lines, downwards
 * @param height of the words
 * @param top of the chart
 * @param bottom of the chart
 * @param unit how much a pixel of the page is
 */
export function wordsApart(lines: readonly number[], height: number, top: number, bottom: number, unit = 1): number[] {
  const placed: number[] = [];
  const found = new Array<number>(lines.length);
  for (const i of lines.map((_, place) => place).sort((a, b) => lines[a]! - lines[b]! || a - b)) {
    const line = lines[i]!;
    const [above, below] = [line - ABOVE * unit, line + BELOW * unit + height];
    const others = placed.flatMap((other) => [other - height, other + height]).sort((a, b) => Math.abs(a - above) - Math.abs(b - above));
    const slots = [above, below, ...others].filter((low) => low - height >= top && low <= bottom);
    const free = slots.filter((low) => placed.every((other) => Math.abs(other - low) >= height));
    const clear = free.filter((low) => lines.every((other) => other <= low - height || other >= low));
    found[i] = clear[0] ?? free[0] ?? slots[0] ?? above;
    placed.push(found[i]);
  }
  return found;
}
