// @vitest-environment node
import { afterEach, expect, it, vi } from "vitest";
import { loadShapes, readMeshes, shapeOf } from "@/scene/own.ts";
import { Things } from "@/scene/things.ts";
import type { Scene } from "@/core/types.ts";

/** Two triangles as the server writes a shape: `whole` has both, `plain` one. */
function glb(): ArrayBuffer {
  const floats = new Float32Array([0, 0, 0, 1, 0, 0, 1, 2, 0, 0, 2, 0, ...Array(4).fill([0, 0, 1]).flat(), ...Array(12).fill(0.8)]);
  const order = new Uint32Array([0, 1, 2, 0, 2, 3]);
  const view = (byteOffset: number) => ({ buffer: 0, byteOffset });
  const mesh = (name: string, indices: number) => ({ name, primitives: [{ attributes: { POSITION: 0, NORMAL: 1, COLOR_0: 2 }, indices }] });
  const document = { accessors: [...[0, 1, 2].map((bufferView) => ({ bufferView, count: 4 })), { bufferView: 3, count: 6 }, { bufferView: 3, count: 3 }], bufferViews: [view(0), view(48), view(96), view(144)], meshes: [mesh("whole", 3), mesh("plain", 4)] };
  let text = JSON.stringify(document);
  text += " ".repeat((4 - (text.length % 4)) % 4);
  const bytes = new ArrayBuffer(20 + text.length + 8 + 144 + 24);
  const data = new DataView(bytes);
  [0x46546c67, 2, bytes.byteLength, text.length, 0x4e4f534a].forEach((one, i) => data.setUint32(i * 4, one, true));
  new Uint8Array(bytes, 20).set(new TextEncoder().encode(text));
  new Float32Array(bytes, 28 + text.length, 36).set(floats);
  new Uint32Array(bytes, 28 + text.length + 144, 6).set(order);
  return bytes;
}

const SCENE: Scene = {
  geometries: { mine: { glb: "a".repeat(64), scale: 2, at: [0, 1, 0] }, lost: { glb: "b".repeat(64) } },
  objects: [
    { kind: "pump", geometry: "mine", twin: "a", at: [0, 0, 0] },
    { kind: "mine", twin: "b", at: [9, 0, 0] },
    { kind: "pump", geometry: "lost", twin: "c", at: [18, 0, 0] },
    { kind: "pump", geometry: "nowhere", twin: "d", at: [27, 0, 0] },
  ],
};

afterEach(() => vi.unstubAllGlobals());

it("names the shape an object is drawn with: its own, or that of its kind's name", () => {
  expect(SCENE.objects.map((object) => shapeOf(object, SCENE))).toEqual(["mine", "mine", "lost", null]);
});

it("reads both forms, each corner with values of its own", () => {
  const meshes = readMeshes(glb());
  expect(meshes.get("whole")!.getAttribute("position").count).toBe(6);
  expect([...meshes.get("plain")!.getAttribute("position").array]).toEqual([0, 0, 0, 1, 0, 0, 1, 2, 0]);
  expect(() => readMeshes(new ArrayBuffer(40))).toThrow("no shape");
});

it("draws things with a shape where it is bound, and as their kind where it cannot be had", async () => {
  vi.stubGlobal("fetch", async (path: string) => (path.includes("aaaa") ? new Response(glb()) : new Response(JSON.stringify({ error: { code: "NotFound", message: "it is gone" } }), { status: 404 })));
  const { shapes, problems } = await loadShapes(SCENE);
  expect(problems).toEqual(["lost: it is gone"]);
  const things = new Things(SCENE, shapes);
  expect(things.all.map((thing) => thing.forms.triangles[0] === 2)).toEqual([true, true, false, false]);
  expect(things.byTwin.get("a")!.box.max.toArray()).toEqual([2, 5, 0]);
  things.dispose();
});
