/** The order of names as people count: "Motor 2" before "Motor 10". The server has the same in gemel/core/naming.py. */

/** A text that sorts as the name is meant to: each number by its size, before any letter. */
export function natural(name: string): string {
  return name.toLowerCase().replace(/[0-9]+/g, (found) => {
    const digits = found.replace(/^0+(?=.)/, "");
    return `\0${String.fromCharCode(digits.length)}${digits}`;
  });
}

/** A copy of a list, in the order of its names. */
export function sortedByName<T>(list: Iterable<T>, nameOf: (one: T) => string): T[] {
  const keyed = [...list].map((one): [string, T] => [natural(nameOf(one)), one]);
  return keyed.sort((a, b) => compareText(a[0], b[0])).map(([, one]) => one);
}

export const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
