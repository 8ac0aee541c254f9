/** The plant as a USDZ file: what iPhones and iPads show in AR, as a model of 1:50 on a table. */

import { BufferAttribute, BufferGeometry, Color, Group, Matrix4, Mesh, MeshStandardMaterial, Scene as Stage, type BatchedMesh } from "three";
import { USDZExporter } from "three/addons/exporters/USDZExporter.js";
import type { Thing, Things } from "../things.ts";
import { TABLE } from "./rig.ts";

const BUDGET = 60_000;

export async function usdzOf(things: Things): Promise<Blob> {
  const stage = new Stage();
  const group = new Group();
  group.scale.setScalar(1 / TABLE);
  stage.add(group);
  const centre = things.bounds.getCenter(group.position.clone());
  group.position.set(-centre.x / TABLE, 0, -centre.z / TABLE);
  const pieces = new Pieces(things.batch);
  for (const [thing, detail] of formsWithin(things.all)) {
    group.add(pieces.mesh(thing.body, thing.forms.ids[detail]));
    if (detail === 0) for (const part of thing.parts) for (let k = 0; k < part.count; k++) group.add(pieces.mesh(part.first + k, things.batch.getGeometryIdAt(part.first + k)));
  }
  group.updateMatrixWorld(true);
  const bytes = await new USDZExporter().parseAsync(stage, { quickLookCompatible: true, ar: { anchoring: { type: "plane" }, planeAnchoring: { alignment: "horizontal" } } });
  pieces.dispose();
  return new Blob([bytes as Uint8Array<ArrayBuffer>], { type: "model/vnd.usdz+zip" });
}

/** The largest things whole, then plain, then as boxes: within the budget of a phone. */
function formsWithin(all: readonly Thing[]): [Thing, 0 | 1 | 2][] {
  const shown = all.filter((thing) => !thing.isHidden).sort((a, b) => b.radius - a.radius);
  let left = BUDGET - shown.reduce((sum, thing) => sum + thing.forms.triangles[2], 0);
  return shown.map((thing) => {
    const { triangles } = thing.forms;
    const detail = ([0, 1] as const).find((one) => triangles[one] - triangles[2] <= left) ?? 2;
    left -= triangles[detail] - triangles[2];
    return [thing, detail];
  });
}

/** Meshes out of the batch: equal forms share a geometry, equal colours a material. */
class Pieces {
  #geometries = new Map<number, BufferGeometry>();
  #materials = new Map<string, MeshStandardMaterial>();

  constructor(private readonly batch: BatchedMesh) {}

  mesh(instance: number, form: number): Mesh {
    const mesh = new Mesh(this.#geometry(form), this.#material(instance));
    mesh.matrixAutoUpdate = false;
    this.batch.getMatrixAt(instance, mesh.matrix as Matrix4);
    return mesh;
  }

  #geometry(form: number): BufferGeometry {
    const known = this.#geometries.get(form);
    if (known) return known;
    const { vertexStart, vertexCount } = this.batch.getGeometryRangeAt(form)!;
    const made = new BufferGeometry();
    for (const name of ["position", "normal"]) {
      const { array } = this.batch.geometry.getAttribute(name);
      made.setAttribute(name, new BufferAttribute((array as Float32Array).slice(vertexStart * 3, (vertexStart + vertexCount) * 3), 3));
    }
    this.#geometries.set(form, made);
    return made;
  }

  #material(instance: number): MeshStandardMaterial {
    const color = this.batch.getColorAt(instance, new Color()) as Color;
    const key = color.getHexString();
    const known = this.#materials.get(key) ?? new MeshStandardMaterial({ color: color.clone(), roughness: 0.8, metalness: 0 });
    this.#materials.set(key, known);
    return known;
  }

  dispose(): void {
    for (const one of [...this.#geometries.values(), ...this.#materials.values()]) one.dispose();
  }
}
