/** Builds one geometry from few plain shapes, with the shade of each shape baked into its vertices. */

import {
  BoxGeometry,
  BufferAttribute,
  BufferGeometry,
  CylinderGeometry,
  Euler,
  Matrix4,
  Quaternion,
  SphereGeometry,
  TorusGeometry,
  Vector3,
} from "three";
import { RoundedBoxGeometry } from "three/addons/geometries/RoundedBoxGeometry.js";

export type Axis = "x" | "y" | "z";

/** How a moving part moves at full speed. */
export type Motion =
  | { type: "spin"; axis: Axis; at: [number, number, number]; perSecond: number }
  | { type: "slide"; from: number; to: number; spacing: number; perSecond: number }
  | { type: "stroke"; axis: Axis; length: number; perSecond: number }
  | { type: "level"; bottom: number };

export interface Part {
  geometry: BufferGeometry;
  motion: Motion;
}

export interface Model {
  body: BufferGeometry;
  parts: Part[];
}

const TURN: Record<Axis, [number, number, number]> = { x: [0, 0, -Math.PI / 2], y: [0, 0, 0], z: [Math.PI / 2, 0, 0] };

export class Builder {
  readonly parts: Part[] = [];
  #positions: number[] = [];
  #normals: number[] = [];
  #colors: number[] = [];

  /** A box with its centre at (x, y, z); `bevel` rounds the edges. */
  box(size: [number, number, number], at: [number, number, number], shade = 1, bevel = 0): this {
    const smallest = Math.min(...size);
    const geometry = bevel > 0 && smallest > bevel * 2.2 ? new RoundedBoxGeometry(size[0], size[1], size[2], 1, bevel) : new BoxGeometry(...size);
    return this.#add(geometry, at, shade);
  }

  /** A cylinder (or cone) along an axis with its centre at `at`. */
  cylinder(radius: number, length: number, axis: Axis, at: [number, number, number], shade = 1, sides = 20, top = radius): this {
    return this.#add(new CylinderGeometry(top, radius, length, sides), at, shade, TURN[axis]);
  }

  dome(radius: number, at: [number, number, number], shade = 1, flat = 0.4, axis: Axis = "y", sign = 1): this {
    const geometry = new SphereGeometry(radius, 20, 6, 0, Math.PI * 2, 0, Math.PI / 2);
    geometry.scale(1, flat * sign, 1);
    if (sign < 0) flip(geometry);
    return this.#add(geometry, at, shade, TURN[axis]);
  }

  ring(radius: number, thickness: number, axis: Axis, at: [number, number, number], shade = 1): this {
    const turn: Record<Axis, [number, number, number]> = { x: [0, Math.PI / 2, 0], y: [Math.PI / 2, 0, 0], z: [0, 0, 0] };
    return this.#add(new TorusGeometry(radius, thickness, 5, 24), at, shade, turn[axis]);
  }

  /** Any geometry, turned (radians) and moved. */
  raw(geometry: BufferGeometry, at: [number, number, number], shade = 1, turn: [number, number, number] = [0, 0, 0]): this {
    return this.#add(geometry, at, shade, turn);
  }

  part(motion: Motion, build: (b: Builder) => void): this {
    const inner = new Builder();
    build(inner);
    this.parts.push({ geometry: inner.geometry(false), motion });
    return this;
  }

  model(): Model {
    return { body: this.geometry(true), parts: this.parts };
  }

  /** The geometry so far; bodies get darker towards the floor. */
  geometry(isGrounded: boolean): BufferGeometry {
    const geometry = new BufferGeometry();
    const positions = new Float32Array(this.#positions);
    const colors = new Float32Array(this.#colors);
    if (isGrounded) darkenLow(positions, colors);
    geometry.setAttribute("position", new BufferAttribute(positions, 3));
    geometry.setAttribute("normal", new BufferAttribute(new Float32Array(this.#normals), 3));
    geometry.setAttribute("color", new BufferAttribute(colors, 3));
    geometry.computeBoundingBox();
    geometry.computeBoundingSphere();
    return geometry;
  }

  #add(source: BufferGeometry, at: [number, number, number], shade: number, turn: [number, number, number] = [0, 0, 0]): this {
    const geometry = source.index ? source.toNonIndexed() : source;
    const matrix = new Matrix4().compose(new Vector3(...at), new Quaternion().setFromEuler(new Euler(...turn)), new Vector3(1, 1, 1));
    geometry.applyMatrix4(matrix);
    const positions = geometry.getAttribute("position").array;
    for (let i = 0; i < positions.length; i++) this.#positions.push(positions[i]!);
    const normals = geometry.getAttribute("normal").array;
    for (let i = 0; i < normals.length; i++) {
      this.#normals.push(normals[i]!);
      this.#colors.push(shade);
    }
    geometry.dispose();
    source.dispose();
    return this;
  }
}

function flip(geometry: BufferGeometry): void {
  const index = geometry.index;
  if (!index) return;
  for (let i = 0; i < index.count; i += 3) {
    const kept = index.getX(i);
    index.setX(i, index.getX(i + 2));
    index.setX(i + 2, kept);
  }
  geometry.computeVertexNormals();
}

function darkenLow(positions: Float32Array, colors: Float32Array): void {
  for (let i = 0; i < positions.length; i += 3) {
    const height = Math.max(0, Math.min(1, positions[i + 1]! / 1.6));
    const factor = 0.7 + 0.3 * height;
    colors[i] = colors[i]! * factor;
    colors[i + 1] = colors[i + 1]! * factor;
    colors[i + 2] = colors[i + 2]! * factor;
  }
}
