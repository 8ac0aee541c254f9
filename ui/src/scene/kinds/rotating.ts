/** Machines that turn: motors, pumps, compressors, fans, gearboxes, generators, wind turbines. */

import { BufferAttribute, BufferGeometry } from "three";
import type { Builder } from "../shapes.ts";

export type Parameters = (name: string, fallback: number) => number;
export type Kind = (b: Builder, p: Parameters) => void;

/** A finned motor along x with its shaft end at x = `end`; used alone and in sets. */
function motorBody(b: Builder, length: number, radius: number, x: number, y: number): void {
  b.cylinder(radius * 0.9, length * 0.8, "x", [x, y, 0], 0.92, 20);
  for (let i = 0; i < 6; i++) b.cylinder(radius, length * 0.035, "x", [x - length * 0.28 + i * length * 0.11, y, 0], 1.02, 20);
  b.cylinder(radius * 0.96, length * 0.2, "x", [x - length * 0.42, y, 0], 0.8, 20);
  b.cylinder(radius * 0.55, length * 0.06, "x", [x + length * 0.43, y, 0], 0.85, 16);
  b.box([length * 0.3, radius * 0.5, radius * 0.8], [x, y + radius * 1.05, 0], 1.08, 0.03);
  b.box([length * 0.5, y - radius * 0.7, radius * 1.3], [x, (y - radius * 0.7) / 2, 0], 0.78);
}

function base(b: Builder, length: number, width: number): void {
  b.box([length, 0.16, width], [0, 0.08, 0], 0.62, 0.03);
}

export const motor: Kind = (b, p) => {
  const length = p("length", 1.6);
  const radius = p("diameter", 0.9) / 2;
  const y = radius + 0.26;
  base(b, length * 1.35, radius * 2.4);
  motorBody(b, length, radius, -length * 0.08, y);
  b.part({ type: "spin", axis: "x", at: [0, y, 0], perSecond: 1.2 }, (m) => {
    m.cylinder(radius * 0.16, length * 0.3, "x", [length * 0.5, 0, 0], 1.1, 10);
    m.cylinder(radius * 0.42, length * 0.1, "x", [length * 0.58, 0, 0], 0.8, 6);
  });
};

export const pump: Kind = (b, p) => {
  const length = p("length", 2.4);
  const radius = length * 0.15;
  const y = radius + 0.34;
  base(b, length, length * 0.42);
  motorBody(b, length * 0.48, radius, -length * 0.24, y);
  b.part({ type: "spin", axis: "x", at: [0, y, 0], perSecond: 1.2 }, (m) => {
    m.cylinder(radius * 0.22, length * 0.2, "x", [length * 0.07, 0, 0], 1.1, 10);
    m.cylinder(radius * 0.5, length * 0.06, "x", [length * 0.07, 0, 0], 0.75, 6);
  });
  const x = length * 0.31;
  b.cylinder(radius * 0.6, length * 0.16, "x", [length * 0.18, y, 0], 0.85, 16);
  b.cylinder(radius * 1.15, radius * 0.9, "x", [x, y, 0], 0.98, 24);
  b.ring(radius * 1.12, radius * 0.13, "x", [x - radius * 0.42, y, 0], 1.05);
  b.ring(radius * 1.12, radius * 0.13, "x", [x + radius * 0.42, y, 0], 1.05);
  b.cylinder(radius * 0.45, radius * 1.5, "y", [x, y + radius * 1.5, radius * 0.3], 0.95, 16);
  b.cylinder(radius * 0.75, radius * 0.2, "y", [x, y + radius * 2.2, radius * 0.3], 1.08, 16);
  b.cylinder(radius * 0.5, radius * 0.9, "x", [x + radius * 0.9, y, 0], 0.95, 16);
  b.cylinder(radius * 0.8, radius * 0.2, "x", [x + radius * 1.3, y, 0], 1.08, 16);
  b.box([radius * 0.9, y - radius, radius * 1.4], [x, (y - radius) / 2 + 0.08, 0], 0.74);
};

export const compressor: Kind = (b, p) => {
  const length = p("length", 3.4);
  const radius = p("diameter", 1.4) / 2;
  const y = radius + 0.4;
  base(b, length * 1.05, radius * 2.3);
  b.cylinder(radius, length * 0.8, "x", [0, y, 0], 1, 24);
  b.dome(radius, [length * 0.4, y, 0], 1, 0.35, "x");
  b.dome(radius, [-length * 0.4, y, 0], 1, 0.35, "x", -1);
  for (const x of [-length * 0.3, 0, length * 0.3]) b.ring(radius * 1.01, 0.035, "x", [x, y, 0], 0.85);
  for (const x of [-length * 0.3, length * 0.3]) b.box([0.16, 0.5, radius * 1.7], [x, 0.36, 0], 0.7);
  const top = y + radius;
  b.box([length * 0.34, radius * 0.75, radius * 1.1], [length * 0.08, top + radius * 0.32, 0], 1.08, 0.06);
  b.cylinder(radius * 0.26, radius * 0.7, "y", [length * 0.02, top + radius * 0.95, radius * 0.2], 0.92, 14);
  b.cylinder(radius * 0.26, radius * 0.7, "y", [length * 0.16, top + radius * 0.95, radius * 0.2], 0.92, 14);
  b.cylinder(radius * 0.36, length * 0.24, "x", [-length * 0.26, top + radius * 0.32, 0], 0.9, 18);
  b.box([length * 0.24, radius * 0.2, radius * 0.6], [-length * 0.26, top + radius * 0.02, 0], 0.72);
  b.part({ type: "spin", axis: "z", at: [length * 0.08, top + radius * 0.4, radius * 0.66], perSecond: 0.9 }, (m) => {
    m.ring(radius * 0.42, radius * 0.07, "z", [0, 0, 0], 0.8);
    for (let i = 0; i < 3; i++) m.raw(spoke(radius * 0.84, radius * 0.09), [0, 0, 0], 0.95, [0, 0, (i * Math.PI) / 3]);
  });
  b.cylinder(0.07, radius * 1.2, "y", [length * 0.46, top * 0.8, radius * 0.5], 0.8, 10);
};

function spoke(length: number, width: number): BufferGeometry {
  const [l, w, d] = [length / 2, width / 2, width / 2];
  const corners = [-l, -w, d, l, -w, d, l, w, d, -l, -w, d, l, w, d, -l, w, d, l, -w, -d, -l, -w, -d, -l, w, -d, l, -w, -d, -l, w, -d, l, w, -d];
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(new Float32Array(corners), 3));
  geometry.computeVertexNormals();
  return geometry;
}

export const fan: Kind = (b, p) => {
  const radius = p("diameter", 1.8) / 2;
  const y = radius + 0.35;
  base(b, radius * 1.6, radius * 2);
  b.ring(radius, radius * 0.09, "z", [0, y, radius * 0.3], 1.05);
  b.ring(radius, radius * 0.09, "z", [0, y, -radius * 0.3], 0.95);
  b.raw(tube(radius, radius * 0.6), [0, y, 0], 0.9);
  b.box([radius * 0.3, radius, radius * 0.5], [-radius * 0.75, radius * 0.45, 0], 0.75);
  b.box([radius * 0.3, radius, radius * 0.5], [radius * 0.75, radius * 0.45, 0], 0.75);
  b.part({ type: "spin", axis: "z", at: [0, y, 0], perSecond: 1 }, (m) => blades(m, radius * 0.92, 6));
};

function tube(radius: number, length: number): BufferGeometry {
  const sides = 24;
  const points: number[] = [];
  for (let i = 0; i < sides; i++) {
    const [a, c] = [(i / sides) * Math.PI * 2, ((i + 1) / sides) * Math.PI * 2];
    const [x0, y0, x1, y1] = [Math.cos(a) * radius, Math.sin(a) * radius, Math.cos(c) * radius, Math.sin(c) * radius];
    const h = length / 2;
    points.push(x0, y0, -h, x1, y1, -h, x1, y1, h, x0, y0, -h, x1, y1, h, x0, y0, h);
    points.push(x0, y0, h, x1, y1, h, x1, y1, -h, x0, y0, h, x1, y1, -h, x0, y0, -h);
  }
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(new Float32Array(points), 3));
  geometry.computeVertexNormals();
  return geometry;
}

/** Flat twisted blades about z, for fans. */
export function blades(m: Builder, radius: number, count: number): void {
  m.cylinder(radius * 0.2, radius * 0.3, "z", [0, 0, 0], 0.85, 12);
  for (let i = 0; i < count; i++) {
    m.raw(blade(radius, radius * 0.3, radius * 0.14, radius * 0.16), [0, 0, 0], 1.05, [0, 0, (i * Math.PI * 2) / count]);
  }
}

/** A thin double-sided blade from the centre along y; `twist` lifts one edge. */
function blade(length: number, rootWidth: number, tipWidth: number, twist: number): BufferGeometry {
  const [r, t, z] = [rootWidth / 2, tipWidth / 2, twist / 2];
  const a = [-r, length * 0.12, -z], c = [r, length * 0.12, z], d = [t, length, z * 0.4], e = [-t, length, -z * 0.4];
  const points = [...a, ...c, ...d, ...a, ...d, ...e, ...a, ...d, ...c, ...a, ...e, ...d];
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(new Float32Array(points), 3));
  geometry.computeVertexNormals();
  return geometry;
}

export const gearbox: Kind = (b, p) => {
  const length = p("length", 1.4);
  base(b, length * 1.2, length * 0.9);
  b.box([length * 0.8, length * 0.62, length * 0.66], [0, length * 0.45, 0], 1, 0.07);
  b.box([length * 0.92, length * 0.07, length * 0.78], [0, length * 0.46, 0], 0.82);
  b.cylinder(length * 0.22, length * 0.12, "x", [-length * 0.44, length * 0.5, 0], 1.06, 18);
  b.cylinder(length * 0.06, length * 0.16, "y", [0, length * 0.82, 0], 0.85, 10);
  b.part({ type: "spin", axis: "x", at: [0, length * 0.5, 0], perSecond: 1 }, (m) => {
    m.cylinder(length * 0.07, length * 0.36, "x", [length * 0.55, 0, 0], 1.1, 10);
    m.cylinder(length * 0.15, length * 0.08, "x", [length * 0.66, 0, 0], 0.8, 6);
  });
};

export const generator: Kind = (b, p) => {
  const length = p("length", 2.8);
  const radius = p("diameter", 1.5) / 2;
  const y = radius + 0.3;
  base(b, length * 1.15, radius * 2.3);
  motorBody(b, length, radius, -length * 0.06, y);
  b.box([length * 0.4, radius * 0.8, radius * 1.3], [-length * 0.1, y + radius * 1.2, 0], 1.05, 0.05);
  b.part({ type: "spin", axis: "x", at: [0, y, 0], perSecond: 1 }, (m) => {
    m.cylinder(radius * 0.16, length * 0.26, "x", [length * 0.48, 0, 0], 1.1, 10);
    m.cylinder(radius * 0.42, length * 0.05, "x", [length * 0.55, 0, 0], 0.8, 6);
  });
};

export const windTurbine: Kind = (b, p) => {
  const hub = p("hubHeight", 30);
  const radius = p("rotorDiameter", 30) / 2;
  const thick = Math.max(0.5, hub * 0.028);
  b.cylinder(thick * 2.2, 0.4, "y", [0, 0.2, 0], 0.75, 20);
  b.cylinder(thick, hub, "y", [0, hub / 2, 0], 1, 20, thick * 0.55);
  b.cylinder(thick * 0.62, thick * 0.3, "y", [0, hub - thick * 0.1, 0], 0.85, 16);
  b.box([thick * 1.5, thick * 1.4, thick * 4.2], [0, hub + thick * 0.7, -thick * 0.4], 1.04, thick * 0.3);
  b.box([thick * 0.12, thick * 0.7, thick * 0.12], [0, hub + thick * 1.7, -thick * 2], 0.8);
  const front = thick * 2;
  b.part({ type: "spin", axis: "z", at: [0, hub + thick * 0.7, front], perSecond: 0.25 }, (m) => {
    m.cylinder(thick * 0.62, thick * 0.7, "z", [0, 0, 0], 0.95, 16);
    m.dome(thick * 0.62, [0, 0, thick * 0.35], 1, 0.9, "z");
    for (let i = 0; i < 3; i++) m.raw(rotorBlade(radius, thick), [0, 0, 0], 1.08, [0, 0, (i * Math.PI * 2) / 3]);
  });
};

/** A blade along y: widest at a fifth, thin at the tip, with some thickness so that it has light and shade. */
function rotorBlade(length: number, thick: number): BufferGeometry {
  const sections = [0, 0.06, 0.2, 0.55, 1].map((s, i) => ({
    y: s * length,
    w: [0.28, 0.32, 0.62, 0.42, 0.1][i]! * thick * 1.5,
    d: [0.28, 0.3, 0.2, 0.1, 0.03][i]! * thick,
  }));
  const points: number[] = [];
  const quad = (a: number[], c: number[], d: number[], e: number[]): void => void points.push(...a, ...c, ...d, ...a, ...d, ...e);
  for (let i = 0; i + 1 < sections.length; i++) {
    const [s, t] = [sections[i]!, sections[i + 1]!];
    const ring = ({ y, w, d }: { y: number; w: number; d: number }): number[][] => [[-w * 0.35, y, 0], [0, y, d], [w * 0.65, y, 0], [0, y, -d]];
    const [low, high] = [ring(s), ring(t)];
    for (let k = 0; k < 4; k++) {
      const next = (k + 1) % 4;
      quad(low[k]!, low[next]!, high[next]!, high[k]!);
    }
  }
  const geometry = new BufferGeometry();
  geometry.setAttribute("position", new BufferAttribute(new Float32Array(points), 3));
  geometry.computeVertexNormals();
  return geometry;
}
