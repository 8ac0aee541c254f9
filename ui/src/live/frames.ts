/** Binary frames of `/live`: u64 base (ms), u16 count, u16 zero, then rows of u32 u16 u16 f64. */

export const HEADER = 12;
export const ROW = 16;

export interface Rows {
  series: Uint32Array<ArrayBuffer>;
  time: Float64Array<ArrayBuffer>;
  quality: Uint16Array<ArrayBuffer>;
  value: Float64Array<ArrayBuffer>;
}

export function emptyRows(count: number): Rows {
  return { series: new Uint32Array(count), time: new Float64Array(count), quality: new Uint16Array(count), value: new Float64Array(count) };
}

/** Reads one frame; a frame that is cut short gives the rows that are whole. */
export function decode(frame: ArrayBuffer): Rows {
  if (frame.byteLength < HEADER) return emptyRows(0);
  const view = new DataView(frame);
  const base = view.getUint32(0, true) + view.getUint32(4, true) * 4294967296;
  const count = Math.min(view.getUint16(8, true), Math.floor((frame.byteLength - HEADER) / ROW));
  const rows = emptyRows(count);
  for (let i = 0, at = HEADER; i < count; i++, at += ROW) {
    rows.series[i] = view.getUint32(at, true);
    rows.time[i] = base + view.getUint16(at + 4, true);
    rows.quality[i] = view.getUint16(at + 6, true);
    rows.value[i] = view.getFloat64(at + 8, true);
  }
  return rows;
}

/** Keeps the newest row of each series between two flushes; its size is bounded by the number of series. */
export class Pending {
  #slots = new Map<number, number>();
  #rows = emptyRows(256);
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(rows: Rows): void {
    for (let i = 0; i < rows.series.length; i++) {
      const series = rows.series[i]!;
      let slot = this.#slots.get(series);
      if (slot === undefined) {
        slot = this.#count++;
        if (slot >= this.#rows.series.length) this.#grow();
        this.#slots.set(series, slot);
        this.#rows.series[slot] = series;
      }
      this.#rows.time[slot] = rows.time[i]!;
      this.#rows.quality[slot] = rows.quality[i]!;
      this.#rows.value[slot] = rows.value[i]!;
    }
  }

  take(): Rows {
    const n = this.#count;
    const { series, time, quality, value } = this.#rows;
    const taken = { series: series.slice(0, n), time: time.slice(0, n), quality: quality.slice(0, n), value: value.slice(0, n) };
    this.#slots.clear();
    this.#count = 0;
    return taken;
  }

  #grow(): void {
    const old = this.#rows;
    this.#rows = emptyRows(old.series.length * 2);
    this.#rows.series.set(old.series);
    this.#rows.time.set(old.time);
    this.#rows.quality.set(old.quality);
    this.#rows.value.set(old.value);
  }
}

/** Seconds to wait before attempt `n` (from 0): doubles from 0.5 to 30, and up to half of it is chance. */
export function reconnectDelay(attempt: number, chance: number): number {
  const full = Math.min(30, 0.5 * 2 ** Math.min(attempt, 10));
  return full * (0.5 + 0.5 * chance);
}
