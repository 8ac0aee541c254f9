/** Buildings and what keeps them warm and cold. */

import { BoxGeometry } from "three";
import { blades, type Kind } from "./rotating.ts";

export const building: Kind = (b, p) => {
  const [width, depth, height] = [p("width", 16), p("depth", 10), p("height", 7)];
  const floors = Math.max(1, Math.round(p("floors", 2)));
  if (p("open", 0) > 0) {
    b.box([width, 0.12, depth], [0, 0.06, 0], 0.72);
    for (const z of [-depth / 2, depth / 2]) b.box([width, 1, 0.2], [0, 0.5, z], 0.95);
    for (const x of [-width / 2, width / 2]) b.box([0.2, 1, depth], [x, 0.5, 0], 0.95);
    return;
  }
  b.box([width + 0.3, 0.3, depth + 0.3], [0, 0.15, 0], 0.65);
  b.box([width, height - 0.3, depth], [0, height / 2 + 0.15, 0], 0.95);
  const storey = (height - 0.6) / floors;
  const bays = Math.max(2, Math.round(width / 2));
  const sideBays = Math.max(2, Math.round(depth / 2));
  for (let f = 0; f < floors; f++) {
    const y = 0.5 + storey * (f + 0.52);
    b.box([width + 0.06, 0.12, depth + 0.06], [0, 0.4 + storey * f, 0], 0.84);
    for (let i = 0; i < bays; i++) {
      const x = -width / 2 + (width * (i + 0.5)) / bays;
      const isDoor = f === 0 && i === Math.floor(bays / 2);
      for (const z of [-1, 1]) b.box([(width / bays) * (isDoor ? 0.7 : 0.66), storey * (isDoor ? 0.74 : 0.46), 0.06], [x, isDoor ? 0.35 + storey * 0.37 : y, z * (depth / 2 + 0.01)], isDoor ? 0.42 : 0.5);
    }
    for (let i = 0; i < sideBays; i++) {
      const z = -depth / 2 + (depth * (i + 0.5)) / sideBays;
      for (const x of [-1, 1]) b.box([0.06, storey * 0.46, (depth / sideBays) * 0.66], [x * (width / 2 + 0.01), y, z], 0.5);
    }
  }
  b.box([width - 0.2, 0.1, depth - 0.2], [0, height + 0.02, 0], 0.72);
  for (const x of [-0.3, 0.12]) b.box([1.6, 0.7, 1.2], [width * x, height + 0.4, -depth * 0.16], 0.9, 0.05);
  b.box([width + 0.3, 0.34, 0.22], [0, height + 0.1, depth / 2], 1.04);
  b.box([width + 0.3, 0.34, 0.22], [0, height + 0.1, -depth / 2], 1.04);
  b.box([0.22, 0.34, depth + 0.3], [width / 2, height + 0.1, 0], 1.04);
  b.box([0.22, 0.34, depth + 0.3], [-width / 2, height + 0.1, 0], 1.04);
};

export const room: Kind = (b, p) => {
  const [width, depth, height] = [p("width", 5), p("depth", 4), Math.min(1.3, p("height", 2.8) * 0.45)];
  b.box([width, 0.1, depth], [0, 0.05, 0], 0.9);
  b.box([width, height, 0.14], [0, height / 2, -depth / 2], 1.02);
  b.box([width * 0.36, height, 0.14], [-width * 0.32, height / 2, depth / 2], 1.02);
  b.box([width * 0.36, height, 0.14], [width * 0.32, height / 2, depth / 2], 1.02);
  b.box([0.14, height, depth], [-width / 2, height / 2, 0], 0.96);
  b.box([0.14, height, depth], [width / 2, height / 2, 0], 0.96);
  for (const x of [-0.25, 0.25]) {
    b.box([width * 0.28, 0.06, depth * 0.22], [width * x, 0.78, -depth * 0.22], 1.1);
    b.box([width * 0.24, 0.7, 0.05], [width * x, 0.4, -depth * 0.3], 0.7);
    b.box([0.5, 0.36, 0.04], [width * x, 1.02, -depth * 0.26], 0.5);
  }
};

export const airHandler: Kind = (b, p) => {
  const [length, width, height] = [p("length", 5), p("width", 2.2), p("height", 2.2)];
  b.box([length, 0.2, width * 0.9], [0, 0.1, 0], 0.6);
  b.box([length, height - 0.3, width], [0, height / 2 + 0.05, 0], 1, 0.06);
  for (const x of [-0.26, 0.04]) b.box([0.05, height - 0.26, width + 0.04], [length * x, height / 2 + 0.05, 0], 0.8);
  b.box([length * 0.2, height * 0.6, 0.04], [-length * 0.11, height * 0.5, width / 2 + 0.01], 0.88);
  b.box([0.05, 0.16, 0.06], [-length * 0.04, height * 0.5, width / 2 + 0.05], 0.5);
  for (let i = 0; i < 7; i++) b.box([0.04, 0.08, width * 0.8], [-length / 2 - 0.02, height * 0.28 + i * height * 0.085, 0], 0.62);
  b.box([length * 0.26, height * 0.34, width * 0.56], [length * 0.3, height + height * 0.12, 0], 0.9, 0.04);
  b.cylinder(height * 0.38, 0.06, "z", [length * 0.27, height * 0.52, width / 2 + 0.01], 0.48, 24);
  b.ring(height * 0.38, 0.05, "z", [length * 0.27, height * 0.52, width / 2 + 0.03], 1.06);
  b.part({ type: "spin", axis: "z", at: [length * 0.27, height * 0.52, width / 2 + 0.08], perSecond: 0.9 }, (m) => blades(m, height * 0.35, 5));
};

export const chiller: Kind = (b, p) => {
  const [length, width, height] = [p("length", 4.4), p("width", 2.2), p("height", 2.4)];
  b.box([length, 0.24, width], [0, 0.12, 0], 0.6);
  b.box([length, height * 0.34, width * 0.9], [0, height * 0.28, 0], 0.85, 0.04);
  b.box([length, height * 0.46, width], [0, height * 0.72, 0], 1, 0.05);
  for (let i = 0; i < 12; i++) for (const z of [-1, 1]) b.box([0.05, height * 0.38, 0.04], [-length * 0.45 + (i * length * 0.9) / 11, height * 0.72, z * (width / 2 + 0.01)], 0.72);
  const fans = Math.max(2, Math.round(length / 1.6));
  const radius = Math.min(width * 0.38, (length / fans) * 0.42);
  for (let i = 0; i < fans; i++) {
    const x = -length / 2 + (length * (i + 0.5)) / fans;
    b.cylinder(radius * 1.1, 0.18, "y", [x, height * 1.0, 0], 0.9, 22);
    b.cylinder(radius, 0.02, "y", [x, height * 1.0 + 0.095, 0], 0.45, 22);
    b.part({ type: "spin", axis: "y", at: [x, height * 1.0 + 0.13, 0], perSecond: 0.9 }, (m) => {
      for (let k = 0; k < 4; k++) m.raw(new BoxGeometry(radius * 1.8, 0.02, radius * 0.2), [0, 0, 0], 1, [0, (k * Math.PI) / 4, 0]);
    });
  }
};
