/** Columns of readings as the server writes them. */

interface Row {
  time: number[];
  value: number[];
  quality?: number[];
  [name: string]: unknown;
}

export function writeColumns(rows: Row[]): ArrayBuffer {
  const series = rows.map(({ time, value: _value, quality, ...head }) => ({ ...head, count: time.length, columns: ["time", "value", ...(quality ? ["quality"] : [])] }));
  let head = JSON.stringify({ from: 0, to: 0, series });
  while ((new TextEncoder().encode(head).length + 4) % 8) head += " ";
  const text = new TextEncoder().encode(head);
  const size = (count: number): number => Math.ceil(count / 8) * 8;
  const bytes = new Uint8Array(4 + text.length + rows.reduce((sum, one) => sum + one.time.length * 16 + size(one.quality?.length ?? 0), 0));
  new DataView(bytes.buffer).setUint32(0, text.length, true);
  bytes.set(text, 4);
  let at = 4 + text.length;
  for (const { time, value, quality = [] } of rows) {
    for (const column of [time, value]) {
      bytes.set(new Uint8Array(Float64Array.from(column).buffer), at);
      at += column.length * 8;
    }
    bytes.set(quality, at);
    at += size(quality.length);
  }
  return bytes.buffer;
}
