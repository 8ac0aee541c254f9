/** Vessels and what joins them: tanks, silos, exchangers, boilers, valves; and electrical gear. */

import { SphereGeometry } from "three";
import type { Builder } from "../shapes.ts";
import type { Kind } from "./rotating.ts";

/** A strip on the side that shows the level: a frame, and a part that is scaled to the level. */
function sightGlass(b: Builder, radius: number, bottom: number, height: number): void {
  b.box([0.34, height + 0.1, 0.1], [0, bottom + height / 2, radius + 0.02], 0.5);
  b.part({ type: "level", bottom }, (m) => {
    m.box([0.24, height, 0.08], [0, height / 2, radius + 0.06], 1.5);
  });
}

export const tank: Kind = (b, p) => {
  const radius = p("diameter", 3.2) / 2;
  const height = p("height", 5);
  const leg = Math.min(0.6, height * 0.12);
  const roof = radius * 0.3;
  const body = height - leg - roof;
  for (let i = 0; i < 4; i++) {
    const a = Math.PI / 4 + (i * Math.PI) / 2;
    b.box([0.16, leg + 0.3, 0.16], [Math.cos(a) * radius * 0.8, (leg + 0.3) / 2, Math.sin(a) * radius * 0.8], 0.7);
  }
  b.cylinder(radius, body, "y", [0, leg + body / 2, 0], 1, 28);
  b.dome(radius, [0, leg + body, 0], 1.04, roof / radius);
  for (const y of [0.06, 0.5, 0.94]) b.ring(radius * 1.005, 0.05, "y", [0, leg + body * y, 0], 0.86);
  b.cylinder(radius * 0.16, 0.3, "y", [0, height, 0], 0.85, 14);
  b.cylinder(radius * 0.22, 0.08, "y", [0, height + 0.18, 0], 1, 14);
  ladder(b, radius, leg, body);
  sightGlass(b, radius, leg + body * 0.1, body * 0.8);
};

function ladder(b: Builder, radius: number, leg: number, body: number): void {
  const x = radius + 0.14;
  b.box([0.05, leg + body, 0.05], [x, (leg + body) / 2, 0.2], 0.7);
  b.box([0.05, leg + body, 0.05], [x, (leg + body) / 2, -0.2], 0.7);
  for (let y = 0.4; y < leg + body; y += 0.6) b.box([0.04, 0.04, 0.4], [x, y, 0], 0.7);
}

export const silo: Kind = (b, p) => {
  const radius = p("diameter", 3.2) / 2;
  const height = p("height", 9);
  const cone = radius * 1.1;
  const body = height - cone - radius * 0.35 - 0.8;
  const bottom = 0.8 + cone;
  for (let i = 0; i < 4; i++) {
    const a = Math.PI / 4 + (i * Math.PI) / 2;
    b.box([0.2, bottom + 0.3, 0.2], [Math.cos(a) * radius * 0.92, (bottom + 0.3) / 2, Math.sin(a) * radius * 0.92], 0.75);
  }
  b.cylinder(radius * 0.2, cone, "y", [0, 0.8 + cone / 2, 0], 0.88, 24, radius);
  b.cylinder(radius, body, "y", [0, bottom + body / 2, 0], 1, 28);
  b.cylinder(radius, radius * 0.35, "y", [0, bottom + body + radius * 0.175, 0], 1.05, 28, radius * 0.15);
  for (let i = 0; i < 4; i++) b.ring(radius * 1.005, 0.045, "y", [0, bottom + (body * (i + 0.5)) / 4, 0], 0.88);
  ladder(b, radius, bottom, body);
  sightGlass(b, radius, bottom + body * 0.06, body * 0.88);
};

export const heatExchanger: Kind = (b, p) => {
  const length = p("length", 3.6);
  const radius = p("diameter", 1) / 2;
  const y = radius + 0.7;
  b.cylinder(radius, length * 0.72, "x", [0, y, 0], 1, 22);
  b.dome(radius, [length * 0.44, y, 0], 1.02, 0.5, "x");
  b.dome(radius, [-length * 0.44, y, 0], 1.02, 0.5, "x", -1);
  for (const x of [-0.44, -0.37, 0.37, 0.44]) b.cylinder(radius * 1.16, 0.07, "x", [length * x, y, 0], 0.86, 22);
  b.cylinder(radius, length * 0.16, "x", [length * 0.4, y, 0], 0.96, 22);
  b.cylinder(radius, length * 0.16, "x", [-length * 0.4, y, 0], 0.96, 22);
  for (const x of [-0.24, 0.24]) {
    b.box([0.18, y, radius * 1.5], [length * x, y / 2 - 0.1, 0], 0.72);
    b.cylinder(radius * 0.3, radius * 0.9, "y", [length * x, y + radius * 1.2, 0], 0.92, 14);
    b.cylinder(radius * 0.46, 0.07, "y", [length * x, y + radius * 1.65, 0], 1.05, 14);
  }
};

export const boiler: Kind = (b, p) => {
  const length = p("length", 3.6);
  const radius = p("diameter", 2) / 2;
  const y = radius + 0.35;
  b.box([length * 0.95, 0.2, radius * 1.7], [0, 0.1, 0], 0.62);
  for (const x of [-0.3, 0.3]) b.box([0.3, 0.6, radius * 1.6], [length * x, 0.35, 0], 0.7);
  b.cylinder(radius, length * 0.9, "x", [0, y, 0], 1, 26);
  b.cylinder(radius * 1.04, 0.12, "x", [length * 0.45, y, 0], 0.88, 26);
  b.cylinder(radius * 1.04, 0.12, "x", [-length * 0.45, y, 0], 0.88, 26);
  b.box([0.5, radius * 0.8, radius * 0.9], [length * 0.55, y - radius * 0.1, 0], 0.8, 0.06);
  b.cylinder(radius * 0.2, radius * 2.2, "y", [-length * 0.34, y + radius * 1.9, 0], 0.9, 16);
  b.cylinder(0.1, radius * 0.7, "y", [0, y + radius * 1.2, 0], 0.85, 10);
};

export const valve: Kind = (b, p) => {
  const d = p("diameter", 0.4);
  const y = d + 0.5;
  b.cylinder(d * 0.5, d * 3, "x", [0, y, 0], 0.9, 14);
  for (const x of [-1.3, -0.8, 0.8, 1.3]) b.cylinder(d * 0.8, d * 0.18, "x", [d * x, y, 0], 1.05, 14);
  b.raw(new SphereGeometry(d * 0.85, 14, 8), [0, y, 0], 1);
  b.cylinder(d * 0.2, d * 1.6, "y", [0, y + d, 0], 0.9, 10);
  b.cylinder(d * 0.75, d * 0.4, "y", [0, y + d * 1.9, 0], 1.05, 16);
  b.box([d * 0.6, y, d * 0.6], [0, y / 2, 0], 0.65);
};

export const cabinet: Kind = (b, p) => {
  const [width, depth, height] = [p("width", 0.9), p("depth", 0.6), p("height", 2)];
  b.box([width, 0.12, depth], [0, 0.06, 0], 0.6);
  b.box([width, height - 0.12, depth], [0, height / 2 + 0.06, 0], 1, 0.03);
  b.box([width * 0.88, height * 0.86, 0.03], [0, height / 2 + 0.06, depth / 2 + 0.01], 0.92);
  b.box([0.04, 0.24, 0.05], [width * 0.34, height * 0.52, depth / 2 + 0.04], 0.6);
  b.box([width * 0.4, height * 0.1, 0.02], [0, height * 0.82, depth / 2 + 0.03], 0.55);
};

export const transformer: Kind = (b, p) => {
  const [width, depth, height] = [p("width", 2.2), p("depth", 1.6), p("height", 2)];
  b.box([width * 1.15, 0.16, depth * 1.2], [0, 0.08, 0], 0.6);
  b.box([width * 0.8, height * 0.72, depth * 0.7], [0, height * 0.44, 0], 1, 0.05);
  for (let i = 0; i < 7; i++) {
    const x = -width * 0.36 + (i * width * 0.72) / 6;
    b.box([0.06, height * 0.55, depth * 0.16], [x, height * 0.44, depth * 0.44], 0.88);
    b.box([0.06, height * 0.55, depth * 0.16], [x, height * 0.44, -depth * 0.44], 0.88);
  }
  for (const x of [-0.25, 0, 0.25]) {
    b.cylinder(0.1, height * 0.24, "y", [width * x, height * 0.92, 0], 0.8, 12, 0.06);
    b.ring(0.11, 0.03, "y", [width * x, height * 0.9, 0], 1.1);
  }
};

export const meter: Kind = (b, p) => {
  const height = p("height", 1.3);
  b.cylinder(0.05, height, "y", [0, height / 2, 0], 0.75, 10);
  b.cylinder(0.16, 0.04, "y", [0, 0.02, 0], 0.6, 14);
  b.box([0.36, 0.42, 0.18], [0, height, 0], 1.05, 0.03);
  b.box([0.24, 0.16, 0.02], [0, height + 0.06, 0.1], 0.5);
};

export const sensor: Kind = (b, p) => {
  const size = p("size", 0.3);
  b.cylinder(size * 0.12, size * 2, "y", [0, size, 0], 0.75, 8);
  b.box([size, size, size * 0.7], [0, size * 2.3, 0], 1.1, size * 0.12);
};
