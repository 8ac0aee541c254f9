/** Users' own shapes: the grey meshes that the server made of their GLB files, as geometries of the page. */

import { BufferAttribute, BufferGeometry, Matrix4, Quaternion, Vector3 } from "three";
import { getBytes } from "@/core/api.ts";
import type { Scene, SceneObject } from "@/core/types.ts";

export interface OwnShape {
  whole: BufferGeometry;
  plain: BufferGeometry;
}

export interface OwnShapes {
  shapes: ReadonlyMap<string, OwnShape>;
  /** What is drawn as its kind instead, and why. */
  problems: string[];
}

export const NO_SHAPES: OwnShapes = { shapes: new Map(), problems: [] };
const UP = new Vector3(0, 1, 0);

/** The name of the shape that an object is drawn with, if the scene gives it one. */
export function shapeOf({ geometry, kind }: SceneObject, scene: Scene): string | null {
  const named = scene.geometries ?? {};
  if (geometry && Object.hasOwn(named, geometry)) return geometry;
  return Object.hasOwn(named, kind) ? kind : null;
}

/** Fetches what the scene's objects are drawn with; what cannot be had is a problem, not an error. */
export async function loadShapes(scene: Scene): Promise<OwnShapes> {
  const names = [...new Set(scene.objects.map((object) => shapeOf(object, scene)).filter((name) => name !== null))];
  if (!names.length) return NO_SHAPES;
  const shapes = new Map<string, OwnShape>();
  const problems: string[] = [];
  await Promise.all(
    names.map(async (name) => {
      const bound = scene.geometries![name]!;
      try {
        const meshes = readMeshes(await getBytes(`/geometries/${bound.glb}/mesh`));
        const place = new Matrix4().compose(
          new Vector3(...((bound.at ?? [0, 0, 0]) as [number, number, number])),
          new Quaternion().setFromAxisAngle(UP, ((bound.turn ?? 0) * Math.PI) / 180),
          new Vector3().setScalar(bound.scale ?? 1),
        );
        shapes.set(name, { whole: meshes.get("whole")!.applyMatrix4(place), plain: meshes.get("plain")!.applyMatrix4(place) });
      } catch (error) {
        problems.push(`${name}: ${error instanceof Error ? error.message : String(error)}`);
      }
    }),
  );
  return { shapes, problems };
}

interface Document {
  accessors: { bufferView: number; count: number }[];
  bufferViews: { byteOffset: number }[];
  meshes: { name: string; primitives: { attributes: Record<string, number>; indices: number }[] }[];
}

/** The meshes of a GLB in the one layout that the server writes: float32 vectors, uint32 indices. */
export function readMeshes(bytes: ArrayBuffer): Map<string, BufferGeometry> {
  const view = new DataView(bytes);
  if (bytes.byteLength < 28 || view.getUint32(0, true) !== 0x46546c67) throw new Error("The server's answer is no shape");
  const length = view.getUint32(12, true);
  const document = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 20, length))) as Document;
  const start = 20 + length + 8;
  const numbers = (index: number, width: number): [number, number] => {
    const { bufferView, count } = document.accessors[index]!;
    return [start + document.bufferViews[bufferView]!.byteOffset, count * width];
  };
  return new Map(
    document.meshes.map(({ name, primitives }) => {
      const { attributes, indices } = primitives[0]!;
      const order = new Uint32Array(bytes, ...numbers(indices, 1));
      const geometry = new BufferGeometry();
      for (const [from, to] of [["POSITION", "position"], ["NORMAL", "normal"], ["COLOR_0", "color"]] as const) {
        geometry.setAttribute(to, new BufferAttribute(spread(new Float32Array(bytes, ...numbers(attributes[from]!, 3)), order), 3));
      }
      return [name, geometry] as const;
    }),
  );
}

/** Each corner with values of its own, as the batch of all things has them. */
function spread(values: Float32Array, order: Uint32Array): Float32Array {
  const found = new Float32Array(order.length * 3);
  order.forEach((from, i) => found.set(values.subarray(from * 3, from * 3 + 3), i * 3));
  return found;
}
