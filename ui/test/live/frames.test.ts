import { describe, expect, it } from "vitest";
import { decode, Pending, reconnectDelay } from "@/live/frames.ts";
import { encode } from "../fake/plant.ts";

const BASE = 1_795_000_000_000;

describe("binary frames", () => {
  it("give back series, time, quality and value of every row", () => {
    const rows = decode(encode([[17, BASE, 0, 41.8], [4_000_000_000, BASE + 65_535, 129, -0.1]]));
    expect([...rows.series]).toEqual([17, 4_000_000_000]);
    expect([...rows.time]).toEqual([BASE, BASE + 65_535]);
    expect([...rows.quality]).toEqual([0, 129]);
    expect([...rows.value]).toEqual([41.8, -0.1]);
  });

  it.each([0, 5, 11])("of %i bytes are nothing", (length) => {
    expect(decode(new ArrayBuffer(length)).series.length).toBe(0);
  });

  it("that are cut at any byte give the rows that are whole", () => {
    const whole = encode([[1, BASE, 0, 1], [2, BASE, 0, 2], [3, BASE, 0, 3]]);
    for (let cut = 12; cut <= whole.byteLength; cut++) {
      expect([...decode(whole.slice(0, cut)).series]).toEqual([1, 2, 3].slice(0, Math.floor((cut - 12) / 16)));
    }
  });
});

describe("values that wait for a flush", () => {
  it("are the newest of each series", () => {
    const pending = new Pending();
    pending.add(decode(encode([[1, BASE, 0, 1], [2, BASE, 0, 2]])));
    pending.add(decode(encode([[1, BASE + 5, 64, 9]])));
    const rows = pending.take();
    expect([...rows.series]).toEqual([1, 2]);
    expect([...rows.value]).toEqual([9, 2]);
    expect([...rows.quality]).toEqual([64, 0]);
    expect(pending.take().series.length).toBe(0);
  });

  it("need no more room than there are series, however many frames come", () => {
    const pending = new Pending();
    const frame = decode(encode(Array.from({ length: 1000 }, (_all, i) => [i, BASE, 0, i])));
    for (let i = 0; i < 50; i++) pending.add(frame);
    expect(pending.count).toBe(1000);
    expect([...pending.take().value].every((value, i) => value === i)).toBe(true);
  });
});

it("a reconnect waits from 0.25 s up to 30 s and no longer", () => {
  expect(reconnectDelay(0, 0)).toBe(0.25);
  expect(reconnectDelay(0, 1)).toBe(0.5);
  for (let attempt = 0; attempt < 2000; attempt += 7) expect(reconnectDelay(attempt, 1)).toBeLessThanOrEqual(30);
  expect(reconnectDelay(20, 1)).toBe(30);
});
