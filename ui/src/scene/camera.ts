/** Orbit with mouse, touch and keys; flights of 400 ms; fits what should be seen into the view. */

import { PerspectiveCamera, Spherical, Vector3, type Box3 } from "three";
import { OrbitControls } from "three/addons/controls/OrbitControls.js";
import { reducedMotion } from "@/core/theme.ts";

const FLIGHT = 400;
const STEP = Math.PI / 24;

export class CameraDriver {
  readonly camera = new PerspectiveCamera(32, 1, 0.5, 2000);
  readonly controls: OrbitControls;
  #flight: { start: number; from: [Vector3, Vector3]; to: [Vector3, Vector3] } | null = null;

  constructor(
    canvas: HTMLCanvasElement,
    private readonly changed: () => void,
  ) {
    this.controls = new OrbitControls(this.camera, canvas);
    this.controls.maxPolarAngle = Math.PI * 0.48;
    this.controls.minPolarAngle = 0.15;
    this.controls.zoomSpeed = 0.8;
    this.controls.addEventListener("change", changed);
    this.controls.addEventListener("start", () => (this.#flight = null));
  }

  resize(width: number, height: number): void {
    this.camera.aspect = width / Math.max(1, height);
    this.camera.updateProjectionMatrix();
  }

  /** Looks from `direction` at the boxes, as near as all of them are inside. */
  fit(boxes: Box3[], direction: Vector3, isInstant = false): void {
    const centre = middle(boxes);
    const unit = direction.clone().normalize();
    const probe = this.camera.clone();
    let distance = 0;
    for (let round = 0; round < 4; round++) {
      distance = nearest(probe, boxes, centre, unit);
      aim(probe, centre, unit, distance);
      const [x, y] = offCentre(probe, boxes);
      const half = distance * Math.tan((probe.fov * Math.PI) / 360);
      centre.addScaledVector(RIGHT.setFromMatrixColumn(probe.matrixWorld, 0), x * half * probe.aspect);
      centre.addScaledVector(UP.setFromMatrixColumn(probe.matrixWorld, 1), y * half);
    }
    distance = nearest(probe, boxes, centre, unit);
    this.controls.minDistance = Math.min(4, distance * 0.2);
    this.controls.maxDistance = Math.max(this.controls.maxDistance === Infinity ? 0 : this.controls.maxDistance, distance * 2.5);
    this.fly(centre.clone().addScaledVector(unit, distance), centre, isInstant);
  }

  /** Keeps the direction and goes near one box. */
  focus(box: Box3): void {
    const direction = this.camera.position.clone().sub(this.controls.target);
    const around = box.clone().expandByScalar(Math.max(3, box.getSize(new Vector3()).length() * 0.6));
    this.fit([around], direction);
  }

  fly(position: Vector3, target: Vector3, isInstant = false): void {
    if (isInstant || reducedMotion()) {
      this.camera.position.copy(position);
      this.controls.target.copy(target);
      this.controls.update();
      this.changed();
      return;
    }
    this.#flight = { start: performance.now(), from: [this.camera.position.clone(), this.controls.target.clone()], to: [position, target] };
    this.changed();
  }

  /** Where the camera stands and what it looks at, to the centimetre. */
  eye(): number[] {
    return [...this.camera.position.toArray(), ...this.controls.target.toArray()].map((one) => Math.round(one * 100) / 100);
  }

  /** Advances a flight; returns whether it goes on. */
  advance(now: number): boolean {
    if (!this.#flight) return false;
    const { start, from, to } = this.#flight;
    const t = Math.min(1, Math.max(0, (now - start) / FLIGHT));
    const eased = 1 - (1 - t) ** 3;
    this.camera.position.lerpVectors(from[0], to[0], eased);
    this.controls.target.lerpVectors(from[1], to[1], eased);
    if (t >= 1) this.#flight = null;
    this.controls.update();
    return this.#flight !== null;
  }

  zoom(factor: number): void {
    const offset = this.camera.position.clone().sub(this.controls.target);
    const length = Math.max(this.controls.minDistance, Math.min(this.controls.maxDistance, offset.length() * factor));
    this.fly(this.controls.target.clone().add(offset.setLength(length)), this.controls.target.clone());
  }

  /** Arrow keys and + and -; returns whether the key was used. */
  key(key: string): boolean {
    const turns: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const turn = turns[key];
    if (turn) {
      const around = new Spherical().setFromVector3(this.camera.position.clone().sub(this.controls.target));
      around.theta += turn[0] * STEP;
      around.phi = Math.max(0.15, Math.min(Math.PI * 0.48, around.phi + turn[1] * STEP));
      this.fly(new Vector3().setFromSpherical(around).add(this.controls.target), this.controls.target.clone(), true);
      return true;
    }
    if (key === "+" || key === "=") this.zoom(0.85);
    else if (key === "-" || key === "−") this.zoom(1.18);
    else return false;
    return true;
  }

  dispose(): void {
    this.controls.dispose();
  }
}

function middle(boxes: Box3[]): Vector3 {
  const all = boxes[0]!.clone();
  for (const box of boxes) all.union(box);
  const centre = all.getCenter(new Vector3());
  centre.y = all.min.y + (all.max.y - all.min.y) * 0.4;
  return centre;
}

const CORNER = new Vector3();
const RIGHT = new Vector3();
const UP = new Vector3();
/** The part of the view that things may fill; labels need a little above. */
const ROOM = { left: -0.95, right: 0.95, bottom: -0.94, top: 0.93 };

function aim(camera: PerspectiveCamera, centre: Vector3, direction: Vector3, distance: number): void {
  camera.position.copy(centre).addScaledVector(direction, distance);
  camera.lookAt(centre);
  camera.updateMatrixWorld();
}

function nearest(camera: PerspectiveCamera, boxes: Box3[], centre: Vector3, direction: Vector3): number {
  let [near, far] = [1, 1500];
  for (let i = 0; i < 22; i++) {
    const distance = (near + far) / 2;
    aim(camera, centre, direction, distance);
    const { left, right, bottom, top, deepest } = frame(camera, boxes);
    const isInside = left >= ROOM.left && right <= ROOM.right && bottom >= ROOM.bottom && top <= ROOM.top && deepest <= 1;
    if (isInside) far = distance;
    else near = distance;
  }
  return far;
}

/** How far the things are from the middle of their room, in halves of the view. */
function offCentre(camera: PerspectiveCamera, boxes: Box3[]): [number, number] {
  const { left, right, bottom, top } = frame(camera, boxes);
  return [(left + right - ROOM.left - ROOM.right) / 2, (bottom + top - ROOM.bottom - ROOM.top) / 2];
}

function frame(camera: PerspectiveCamera, boxes: Box3[]): { left: number; right: number; bottom: number; top: number; deepest: number } {
  const found = { left: Infinity, right: -Infinity, bottom: Infinity, top: -Infinity, deepest: -Infinity };
  for (const box of boxes) {
    for (let i = 0; i < 8; i++) {
      CORNER.set(i & 1 ? box.max.x : box.min.x, i & 2 ? box.max.y : box.min.y, i & 4 ? box.max.z : box.min.z).project(camera);
      found.left = Math.min(found.left, CORNER.x);
      found.right = Math.max(found.right, CORNER.x);
      found.bottom = Math.min(found.bottom, CORNER.y);
      found.top = Math.max(found.top, CORNER.y);
      found.deepest = Math.max(found.deepest, CORNER.z);
    }
  }
  return found;
}
