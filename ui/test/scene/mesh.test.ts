import { expect, test } from "vitest";
import { drawBox, Mesh, Pen, Placing } from "@/scene/spec/mesh.ts";

test.each([0, 0.1])("a box with a bevel of %s has no holes: every edge is walked once each way", (bevel) => {
  const mesh = new Mesh();
  drawBox(new Pen(mesh, new Placing(), "y", 1), [3, 1, 2], bevel);
  const corners = Array.from({ length: mesh.positions.length / 3 }, (_, i) => mesh.positions.slice(i * 3, i * 3 + 3).map((one) => (Math.round(one * 1e6) / 1e6 + 0).toString()).join(" "));
  const walked = new Map<string, number>();
  for (let i = 0; i < corners.length; i += 3) {
    for (const [from, to] of [[0, 1], [1, 2], [2, 0]] as const) walked.set(`${corners[i + from]} to ${corners[i + to]}`, (walked.get(`${corners[i + from]} to ${corners[i + to]}`) ?? 0) + 1);
  }
  const open = [...walked].filter(([edge, times]) => walked.get(edge.split(" to ").reverse().join(" to ")) !== times);
  expect(mesh.triangles).toBe(bevel ? 44 : 12);
  expect(open).toEqual([]);
});
