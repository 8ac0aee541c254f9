/** What is abnormal, seen from across the plant: a pin of its priority's colour over each thing, never blinking. */

import { Color, ConeGeometry, InstancedMesh, Matrix4, MeshBasicMaterial, type Object3D } from "three";
import { tokenColor } from "@/core/theme.ts";
import type { Thing } from "../things.ts";

const MOST = 200;

export class Beacons {
  readonly mesh: InstancedMesh<ConeGeometry, MeshBasicMaterial>;

  constructor(parent: Object3D) {
    const cone = new ConeGeometry(0.5, 1.2, 4);
    cone.rotateX(Math.PI);
    cone.translate(0, 0.6, 0);
    this.mesh = new InstancedMesh(cone, new MeshBasicMaterial({ fog: false, toneMapped: false }), MOST);
    this.mesh.frustumCulled = false;
    this.mesh.count = 0;
    parent.add(this.mesh);
  }

  /** Most urgent first; `scale` is how many times smaller than life the plant is. */
  show(abnormal: readonly (readonly [Thing, number])[], scale: number): void {
    const [matrix, color] = [new Matrix4(), new Color()];
    const size = scale === 1 ? 0.8 : scale * 0.03;
    this.mesh.count = Math.min(MOST, abnormal.length);
    abnormal.slice(0, MOST).forEach(([{ top }, priority], i) => {
      this.mesh.setMatrixAt(i, matrix.makeScale(size, size, size).setPosition(top.x, top.y + size * 0.4, top.z));
      this.mesh.setColorAt(i, color.set(tokenColor(`p${priority}`)));
    });
    this.mesh.instanceMatrix.needsUpdate = true;
    if (this.mesh.instanceColor) this.mesh.instanceColor.needsUpdate = true;
  }

  dispose(): void {
    this.mesh.removeFromParent();
    this.mesh.geometry.dispose();
    this.mesh.material.dispose();
    this.mesh.dispose();
  }
}
