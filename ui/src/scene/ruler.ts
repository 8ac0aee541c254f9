/** Measures between two points that are clicked. */

import { BufferGeometry, Float32BufferAttribute, Group, Line, LineBasicMaterial, Points, PointsMaterial, type Vector3 } from "three";
import { tokenColor } from "@/core/theme.ts";
import { formatNumber } from "@/core/words.ts";

export class Ruler {
  readonly group = new Group();
  isOn = false;
  #points: Vector3[] = [];
  #geometry = new BufferGeometry();
  #line = new LineBasicMaterial({ depthTest: false });
  #ends = new PointsMaterial({ size: 8, sizeAttenuation: false, depthTest: false });

  constructor(private readonly tell: (words: string) => void) {
    const [line, ends] = [new Line(this.#geometry, this.#line), new Points(this.#geometry, this.#ends)];
    line.renderOrder = ends.renderOrder = 3;
    line.frustumCulled = ends.frustumCulled = false;
    this.group.add(line, ends);
    this.group.visible = false;
  }

  use(isOn: boolean): void {
    this.isOn = isOn;
    this.#points = [];
    this.#show();
  }

  add(point: Vector3 | null): void {
    if (!point) return;
    if (this.#points.length === 2) this.#points = [];
    this.#points.push(point.clone());
    this.#show();
  }

  #show(): void {
    for (const material of [this.#line, this.#ends]) material.color.set(tokenColor("accent"));
    this.group.visible = this.#points.length > 0;
    this.#geometry.setAttribute("position", new Float32BufferAttribute(this.#points.flatMap((one) => one.toArray()), 3));
    const [a, b] = this.#points;
    if (!this.isOn) this.tell("");
    else if (!a) this.tell("Click two points to measure");
    else if (!b) this.tell("Click the second point");
    else this.tell(`${formatNumber(a.distanceTo(b), 2)} m, ${formatNumber(Math.hypot(a.x - b.x, a.z - b.z), 2)} m on the ground, ${formatNumber(Math.abs(a.y - b.y), 2)} m in height`);
  }

  dispose(): void {
    this.#geometry.dispose();
    this.#line.dispose();
    this.#ends.dispose();
  }
}
