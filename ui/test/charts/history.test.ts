import { describe, expect, it } from "vitest";
import { readColumns } from "@/charts/bytes.ts";
import { writeColumns } from "../fake/bytes.ts";
import { align, withGaps } from "@/charts/history.ts";
import { span } from "@/charts/plot.ts";
import { sparkPath } from "@/charts/sparkline.tsx";

const series = (time: number[], value: number[], quality: number[]) => ({ time: Float64Array.from(time), value: Float64Array.from(value), quality: Uint8Array.from(quality) });

it("bad readings and long silences become gaps", () => {
  const time = [...Array.from({ length: 30 }, (_all, i) => i * 1000), 200_000];
  const { value } = withGaps(series(time, time.map(() => 1), time.map((_t, i) => (i === 3 ? 129 : 0))));
  expect(value[3]).toBeNull();
  expect(value.slice(-2)).toEqual([null, 1]);
  expect(value.filter((one) => one === null)).toHaveLength(2);
});

it("columns with different times share one, and gaps stay gaps", () => {
  const [time, a, b] = align([{ time: [1, 2], value: [10, null] }, { time: [2, 3], value: [20, 30] }]);
  expect(time).toEqual([1, 2, 3]);
  expect(a).toEqual([10, null, undefined]);
  expect(b).toEqual([undefined, 20, 30]);
});

describe("the range of the axis", () => {
  it("takes in a limit that is near", () => expect(span(0, 8, [{ value: 9, priority: 1, label: "" }])[1]).toBeGreaterThan(9));
  it("leaves out a limit that is far", () => expect(span(0, 8, [{ value: 900, priority: 1, label: "" }])[1]).toBeLessThan(10));
  it("does not go below zero for what is never negative", () => expect(span(0, 8, [])[0]).toBe(0));
  it("has some height for a flat line", () => {
    const [low, high] = span(5, 5, []);
    expect(high - low).toBeGreaterThan(0);
  });
});

it("a sparkline breaks at gaps and needs two values", () => {
  expect(sparkPath({ time: [1, 2, 3, 4], value: [1, null, 2, 3] }).match(/M/g)).toHaveLength(2);
  expect(sparkPath({ time: [1], value: [1] })).toBe("");
});

it("columns as bytes are read as they were written", () => {
  const rows = [
    { twin: "a", property: "p", provenance: "measured", unit: "K", source: "raw", time: [1, 2, 3], value: [4, NaN, 6], quality: [0, 0, 129] },
    { twin: "ä", property: "q", provenance: "measured", unit: null, source: "m4", time: [7], value: [8] },
  ];
  const [first, second] = readColumns(writeColumns(rows));
  expect([...first!.time]).toEqual([1, 2, 3]);
  expect([...first!.value]).toEqual([4, NaN, 6]);
  expect([...first!.quality!]).toEqual([0, 0, 129]);
  expect(second).toMatchObject({ twin: "ä", unit: null, source: "m4", quality: null });
  expect([...second!.value]).toEqual([8]);
});
