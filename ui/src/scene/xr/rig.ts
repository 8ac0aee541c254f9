/** Where a person stands in the plant and how large the plant is to them; every move is at once. */

import { Euler, Group, Quaternion, Vector3, type PerspectiveCamera } from "three";

/** The plant as a model on a table. */
export const TABLE = 50;
const UP = new Vector3(0, 1, 0);

export class Rig {
  readonly group = new Group();
  #head = new Vector3();

  constructor(readonly camera: PerspectiveCamera) {
    this.group.add(camera);
  }

  get scale(): number {
    return this.group.scale.x;
  }

  /** Where the head is in the plant. */
  head(): Vector3 {
    this.group.updateMatrixWorld(true);
    return this.camera.getWorldPosition(this.#head);
  }

  /** Stands the person on a point of the plant's floor, looking as before. */
  standOn(point: Vector3): void {
    const head = this.head();
    this.group.position.x += point.x - head.x;
    this.group.position.z += point.z - head.z;
    if (this.scale === 1) this.group.position.y = point.y;
    this.group.updateMatrixWorld(true);
  }

  /** Turns the person about the axis of their own head. */
  turn(angle: number): void {
    const before = this.head().clone();
    this.group.rotation.y += angle;
    const after = this.head();
    this.group.position.add(before.sub(after));
    this.group.updateMatrixWorld(true);
  }

  /** Full size: stands at a point of the floor, with the face towards another. */
  enter(from: Vector3, towards: Vector3): void {
    this.group.scale.setScalar(1);
    this.group.rotation.y = Math.atan2(from.x - towards.x, from.z - towards.z) - yawOf(this.camera);
    this.group.position.set(0, 0, 0);
    this.standOn(from);
  }

  /** As a model of 1 : `scale`: a point of the plant's floor comes to lie at a point of the room. */
  lay(scale: number, point: Vector3, inRoom: Vector3): void {
    this.group.scale.setScalar(scale);
    const lifted = inRoom.clone().multiplyScalar(scale).applyAxisAngle(UP, this.group.rotation.y);
    this.group.position.copy(point).sub(lifted);
    this.group.updateMatrixWorld(true);
  }
}

export function yawOf(camera: PerspectiveCamera): number {
  return new Euler().setFromQuaternion(new Quaternion().copy(camera.quaternion), "YXZ").y;
}
