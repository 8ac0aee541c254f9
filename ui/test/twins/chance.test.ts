import { describe, expect, it } from "vitest";
import type { Other, Property, Twin } from "@/core/types.ts";
import { chanceWords, shareBelow } from "@/twins/chance.ts";

const quantiles = { "0.05": 5, "0.25": 6, "0.5": 7, "0.75": 8, "0.95": 10 };
const property = { path: "vibration", unit: "mm/s", maximum: 50 } as Property;
const other = { quantiles } as unknown as Other;
const twinWith = (...alarms: object[]): Twin => ({ alarmList: alarms }) as unknown as Twin;

describe("the chance of a limit", () => {
  it("is read between the levels of the forecast", () => {
    expect(shareBelow(quantiles, 7)).toEqual({ is: "=", share: 0.5 });
    expect(shareBelow(quantiles, 6.5)!.share).toBeCloseTo(0.375);
    expect(shareBelow({ "0.1": 3, "0.9": 3 }, 3)).toEqual({ is: "=", share: 0.9 });
  });

  it("is only a bound beyond the outermost", () => {
    expect(shareBelow(quantiles, 4)).toEqual({ is: "<", share: 0.05 });
    expect(shareBelow(quantiles, 11)).toEqual({ is: ">", share: 0.95 });
    expect(shareBelow({ "0.5": 3 }, 3)).toBeNull();
  });

  it("is told in words, of the limit of an alarm, on its side", () => {
    const high = { property: "vibration", limit: 8, value: 9 };
    expect(chanceWords(twinWith(high), property, other, 6 * 3600)).toBe("P(above 8 mm/s in 6 h) = 0.25");
    expect(chanceWords(twinWith({ ...high, value: 7 }), property, other, 6 * 3600)).toBe("P(below 8 mm/s in 6 h) = 0.75");
  });

  it("is of the end of the range where no alarm tells a limit, and of nothing in the past", () => {
    expect(chanceWords(twinWith(), property, other, 60)).toBe("P(above 50 mm/s in 60 s) < 0.05");
    expect(chanceWords(twinWith(), { ...property, maximum: null }, other, 60)).toBe("");
    expect(chanceWords(twinWith(), property, other, -1)).toBe("");
  });
});
