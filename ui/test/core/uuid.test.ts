import { expect, it } from "vitest";
import { uuid } from "@/core/uuid.ts";

it("is of version 4, and never the same", () => {
  const some = Array.from({ length: 50 }, uuid);
  expect(new Set(some).size).toBe(50);
  for (const one of some) expect(one).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});
