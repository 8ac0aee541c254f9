import { describe, expect, it } from "vitest";
import { argumentsOf, check, fieldsOf, rangeOf } from "@/twins/form.ts";

const speed = fieldsOf({ name: "speed", schema: "double", values: null, unit: "%", minimum: 0, maximum: 100 })[0]!;

describe("a number", () => {
  it.each([["70", 70], [" 70,5 ", 70.5], ["0", 0], ["100", 100], ["−0", -0]])("%s is taken", (text, value) => expect(check(speed, text)).toEqual({ value, problem: "" }));
  it.each([["", "needed"], ["abc", "number"], ["100.1", "at most 100 %"], ["-1", "at least 0 %"], ["1e999", "number"]])("%s is refused: %s", (text, words) => expect(check(speed, text).problem).toContain(words));
  it("says its range", () => expect(rangeOf(speed)).toBe("0 to 100 %"));
  it("may have to be whole", () => expect(check(fieldsOf({ name: "n", schema: "integer", values: null })[0]!, "1.5").problem).toContain("whole"));
});

describe("the arguments", () => {
  it("of a command without a request are nothing", () => expect(argumentsOf(fieldsOf(null), {})).toEqual({ value: null, problems: {} }));
  it("of one value are that value", () => expect(argumentsOf([speed], { "": "70" }).value).toBe(70));
  it("of an object are its fields, each checked", () => {
    const fields = fieldsOf({ name: "start", schema: "object", values: null, fields: [{ name: "mode", schema: "enum", values: { eco: "Economy", boost: "Boost" } }, { name: "isForced", schema: "boolean", values: null }, { name: "minutes", schema: "integer", values: null }] });
    expect(argumentsOf(fields, { mode: "boost", isForced: "true", minutes: "5" })).toEqual({ value: { mode: "boost", isForced: true, minutes: 5 }, problems: {} });
    expect(argumentsOf(fields, { mode: "eco", isForced: "false", minutes: "1.5" }).problems).toHaveProperty("minutes");
  });
  it("of anything else are JSON", () => {
    const field = fieldsOf({ name: "points", schema: "array", values: null })[0]!;
    expect(check(field, "[1, 2]").value).toEqual([1, 2]);
    expect(check(field, "[1,").problem).toContain("JSON");
  });
});
