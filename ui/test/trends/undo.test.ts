import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { canUndo, hold, look, shown, undo } from "@/trends/store.ts";

const window = () => shown.peek().window;

describe("undo in trends", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => {
    while (canUndo.peek()) undo();
    vi.useRealTimers();
  });

  it("takes what follows within a moment for one step", () => {
    const before = window();
    look(1_000_000, 2_000_000);
    vi.advanceTimersByTime(100);
    look(1_100_000, 1_900_000);
    vi.advanceTimersByTime(1000);
    undo();
    expect(window()).toEqual(before);
  });

  it("takes a drag for one step, however long the pointer rests", () => {
    const before = window();
    hold(true);
    look(1_000_000, 2_000_000);
    vi.advanceTimersByTime(5000);
    look(1_500_000, 2_500_000);
    hold(false);
    look(1_600_000, 2_000_000);
    vi.advanceTimersByTime(1000);
    undo();
    expect(window()).toEqual([1_500_000, 2_500_000]);
    undo();
    expect(window()).toEqual(before);
  });

  it("a click that moves nothing is no step", () => {
    hold(true);
    hold(false);
    expect(canUndo.peek()).toBe(false);
  });
});
