/** Meshes for the page from the shape specs of the kinds (src/gemel/scene/kinds.json). */

import { BoxGeometry, BufferAttribute, BufferGeometry, Vector3 } from "three";
import { buildKind, SPECS, type Motion, type Specs } from "./spec/evaluate.ts";
import type { Mesh } from "./spec/mesh.ts";

export type { Motion } from "./spec/evaluate.ts";
export const KINDS = SPECS.kinds;

export interface Part {
  geometry: BufferGeometry;
  motion: Motion;
}

export interface Model {
  body: BufferGeometry;
  parts: Part[];
}

/** Builds a kind; what a scene says wrongly falls back, an unknown kind or a broken spec is a box. */
export function build(kind: string, parameters: Record<string, unknown> = {}, own?: Specs, isPlain = false): Model {
  let built;
  try {
    built = buildKind(kind, parameters, own, isPlain);
  } catch {
    built = buildKind("box", {}, undefined, isPlain);
  }
  return { body: geometryOf(built.body), parts: built.parts.map(({ mesh, motion }) => ({ geometry: geometryOf(mesh), motion })) };
}

function geometryOf(mesh: Mesh): BufferGeometry {
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(new Float32Array(mesh.positions), 3));
  geometry.setAttribute("normal", new BufferAttribute(new Float32Array(mesh.normals), 3));
  geometry.setAttribute("color", new BufferAttribute(new Float32Array(mesh.shades.flatMap((shade) => [shade, shade, shade])), 3));
  geometry.computeBoundingBox();
  geometry.computeBoundingSphere();
  return geometry;
}

/** What stands for a thing far away: its bounds, 12 triangles. */
export function boxAround(geometry: BufferGeometry): BufferGeometry {
  const [size, centre] = [geometry.boundingBox!.getSize(new Vector3()), geometry.boundingBox!.getCenter(new Vector3())];
  const found = new BoxGeometry(Math.max(0.02, size.x), Math.max(0.02, size.y), Math.max(0.02, size.z)).toNonIndexed();
  found.translate(centre.x, centre.y, centre.z);
  found.deleteAttribute("uv");
  const positions = found.getAttribute("position");
  const shades = new Float32Array(positions.count * 3);
  for (let i = 0; i < positions.count; i++) shades.fill(0.66 + 0.26 * Math.max(0, Math.min(1, positions.getY(i) / 1.6)), i * 3, i * 3 + 3);
  found.setAttribute("color", new BufferAttribute(shades, 3));
  found.computeBoundingBox();
  found.computeBoundingSphere();
  return found;
}
