import { describe, expect, it } from "vitest";
import { formatAge, formatNumber, formatPlain, zoneName } from "@/core/words.ts";

describe("numbers", () => {
  it.each([
    [41.83, undefined, "41.8"],
    [9.0, undefined, "9"],
    [1.2, undefined, "1.20"],
    [1234.5, undefined, "1235"],
    [1234567, 0, "1\u202f234\u202f567"],
    [-0.001, 1, "0.0"],
    [-12.5, 1, "−12.5"],
    [NaN, undefined, "—"],
    [2.5e13, undefined, "2.500e+13"],
  ])("%d with %s digits is %s", (value, digits, words) => expect(formatNumber(value, digits)).toBe(words));
  it("that stand still end without zeros", () => expect([formatPlain(1.5), formatPlain(80), formatPlain(100)]).toEqual(["1.5", "80", "100"]));
});

it("ages use the largest sensible unit", () => expect([0.84, 42, 300, 7300, 400_000, -1].map(formatAge)).toEqual(["0.8 s", "42 s", "5 min", "2 h", "5 d", "0.0 s"]));
it("the zone has a name", () => expect(zoneName(0)).toMatch(/^UTC/));
