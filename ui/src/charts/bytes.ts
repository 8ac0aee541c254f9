/** Columns of readings as the server sends them: a head in JSON, then each column as it lies in memory. */

export interface Series {
  twin: string;
  property: string;
  provenance: string;
  unit: string | null;
  source: string;
  /** Epoch ms. */
  time: Float64Array;
  /** NaN: no value. */
  value: Float64Array;
  /** Null: all good. */
  quality: Uint8Array | null;
}

interface Head extends Omit<Series, "time" | "value" | "quality"> {
  count: number;
  columns: string[];
}

/** See "format=columns" in docs/reference/http.md. */
export function readColumns(bytes: ArrayBuffer): Series[] {
  const length = new DataView(bytes).getUint32(0, true);
  const head = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length))) as { series: Head[] };
  let at = 4 + length;
  return head.series.map(({ count, columns, ...rest }) => {
    const found: Series = { ...rest, time: new Float64Array(0), value: new Float64Array(0), quality: null };
    for (const name of columns) {
      if (name === "quality") found.quality = new Uint8Array(bytes, at, count);
      else if (name === "time" || name === "value") found[name] = new Float64Array(bytes, at, count);
      at += Math.ceil((name === "quality" ? count : count * 8) / 8) * 8;
    }
    return found;
  });
}
