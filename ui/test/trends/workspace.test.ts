import { describe, expect, it } from "vitest";
import { movedPanel, pinched, readWorkspace, writeWorkspace, zoomed, type Workspace } from "@/trends/workspace.ts";

const round = (workspace: Workspace): Workspace => {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(writeWorkspace(workspace))) if (value) search.set(name, value);
  return readWorkspace(new URLSearchParams(search.toString()));
};

const tag = (twin: string, property: string, provenance = "") => ({ twin, property, provenance });

describe("the address of a workspace", () => {
  it("holds all of it, whatever the names", () => {
    const workspace: Workspace = {
      panels: [
        { tags: [tag("pump:1|,+~%", "bearing.temperature"), tag("pümp 2", "flow", "simulated:a b")], isWide: true, isTable: false },
        { tags: [tag("x", "y")], isWide: false, isTable: true },
      ],
      window: [1_700_000_000_000, 1_700_000_360_000],
      earlier: 604_800,
      ahead: 3600,
      hidden: new Set(["events"]),
      selection: [1_700_000_000_500, 1_700_000_001_000],
    };
    expect(round(workspace)).toEqual(workspace);
  });

  it("is empty for a fresh one, and wrong parts are left out", () => {
    const fresh = readWorkspace(new URLSearchParams());
    expect(Object.values(writeWorkspace(fresh)).every((one) => one === null)).toBe(true);
    expect(readWorkspace(new URLSearchParams("panels=|:|a&window=9~1&span=-3&vs=x&hide=all&select=1~zz"))).toMatchObject({ window: 3600, earlier: 0, selection: null, hidden: new Set() });
    expect(readWorkspace(new URLSearchParams(`panels=${Array.from({ length: 20 }, () => "a:b").join("|")}`)).panels).toHaveLength(8);
  });
});

it("zooming keeps the moment under the pointer where it is", () => {
  const [from, to] = zoomed([0, 1000], 250, 0.5);
  expect([from, to]).toEqual([125, 625]);
  expect((250 - from) / (to - from)).toBe(0.25);
  const [low, high] = zoomed([0, 1], 0.5, 0.001);
  expect(high - low).toBe(1);
});

it("a panel moves among the others and not beyond them", () => {
  const panels = ["a", "b", "c"].map((twin) => ({ tags: [tag(twin, "p")], isWide: false, isTable: false }));
  expect(movedPanel(panels, 0, 1).map((one) => one.tags[0]!.twin)).toEqual(["b", "a", "c"]);
  expect(movedPanel(panels, 2, 1)).toBe(panels);
  expect(movedPanel(panels, 0, -1)).toBe(panels);
});

describe("two fingers on a chart", () => {
  const hour = 3_600_000;

  it("keep the moments under them", () => {
    const [from, to] = pinched([0.25 * hour, 0.75 * hour], [0, 400], 400)!;
    expect([from, to]).toEqual([0.25 * hour, 0.75 * hour]);
    const wider = pinched([0.25 * hour, 0.75 * hour], [150, 250], 400)!;
    expect(wider[1] - wider[0]).toBeCloseTo(2 * hour);
    expect(wider[0] + (150 / 400) * (wider[1] - wider[0])).toBeCloseTo(0.25 * hour);
  });

  it("do nothing where they meet or cross", () => {
    expect(pinched([0, hour], [200, 203], 400)).toBeNull();
    expect(pinched([0, hour], [300, 100], 400)).toBeNull();
    expect(pinched([hour, 0], [300, 100], 400)).toEqual([-0.5 * hour, 1.5 * hour]);
  });
});
