/** Production lines: conveyors, packaging machines, robots, machine tools, racks. */

import { BoxGeometry } from "three";
import type { Builder } from "../shapes.ts";
import type { Kind } from "./rotating.ts";

export const conveyor: Kind = (b, p) => {
  const [length, width, height] = [p("length", 8), p("width", 0.9), p("height", 0.9)];
  b.box([length, 0.07, width * 0.86], [0, height - 0.04, 0], 0.62);
  b.box([length, 0.2, 0.07], [0, height - 0.02, width / 2], 1.02);
  b.box([length, 0.2, 0.07], [0, height - 0.02, -width / 2], 1.02);
  b.cylinder(0.1, width * 0.9, "z", [length / 2, height - 0.08, 0], 0.8, 12);
  b.cylinder(0.1, width * 0.9, "z", [-length / 2, height - 0.08, 0], 0.8, 12);
  const bays = Math.max(1, Math.round(length / 2.4));
  for (let i = 0; i <= bays; i++) {
    const x = -length / 2 + 0.15 + ((length - 0.3) * i) / bays;
    for (const z of [-width / 2, width / 2]) b.box([0.08, height - 0.1, 0.08], [x, (height - 0.1) / 2, z], 0.78);
    b.box([0.05, 0.05, width], [x, height * 0.3, 0], 0.7);
  }
  b.box([0.5, 0.3, 0.3], [length * 0.42, height - 0.32, width * 0.5], 0.85, 0.03);
  b.part({ type: "slide", from: -length / 2 + 0.25, to: length / 2 - 0.25, spacing: 1.5, perSecond: 1 }, (m) => {
    const size = Math.min(0.5, width * 0.55);
    m.box([size, size * 0.8, size], [0, height + size * 0.4, 0], 1.18, 0.03);
    m.box([size * 1.01, size * 0.06, size * 1.01], [0, height + size * 0.5, 0], 0.8);
  });
};

/** The shared body of a packaging machine: frame, guarded window, cabinet, beacon and panel. */
function machine(b: Builder, length: number, width: number, height: number): void {
  b.box([length, 0.14, width], [0, 0.09, 0], 0.6, 0.02);
  b.box([length, height * 0.3, width], [0, 0.14 + height * 0.15, 0], 0.98, 0.04);
  b.box([length, height * 0.1, width], [0, height * 0.95, 0], 1.04, 0.04);
  for (const [x, z] of [[-1, -1], [1, -1], [-1, 1], [1, 1]] as const) b.box([0.1, height * 0.55, 0.1], [x * (length / 2 - 0.06), height * 0.65, z * (width / 2 - 0.06)], 0.88);
  b.box([length - 0.2, height * 0.5, 0.02], [0, height * 0.65, -width / 2 + 0.04], 0.72);
  b.box([0.02, height * 0.5, width - 0.2], [-length / 2 + 0.04, height * 0.65, 0], 0.76);
  b.box([0.4, 0.5, 0.12], [length / 2 - 0.1, height * 0.62, width / 2 + 0.16], 0.9, 0.03);
  b.box([0.3, 0.24, 0.02], [length / 2 - 0.1, height * 0.66, width / 2 + 0.23], 0.45);
  b.cylinder(0.045, 0.4, "y", [-length / 2 + 0.2, height + 0.2, -width / 2 + 0.2], 0.8, 8);
  b.cylinder(0.075, 0.22, "y", [-length / 2 + 0.2, height + 0.46, -width / 2 + 0.2], 1.1, 10);
}

function bottles(m: Builder, radius: number, count: number): void {
  for (let i = 0; i < count; i++) {
    const a = (i / count) * Math.PI * 2;
    const [x, z] = [Math.cos(a) * radius, Math.sin(a) * radius];
    m.cylinder(0.1, 0.34, "y", [x, 0.17, z], 1.2, 8);
    m.cylinder(0.04, 0.12, "y", [x, 0.4, z], 1.1, 6);
  }
}

export const filler: Kind = (b, p) => {
  const [length, width, height] = [p("length", 3.2), p("width", 2), p("height", 2.6)];
  machine(b, length, width, height);
  const radius = Math.min(length, width) * 0.36;
  b.cylinder(radius * 1.05, 0.24, "y", [0, height * 0.84, 0], 0.9, 24);
  b.cylinder(radius * 0.7, height * 0.16, "y", [0, height * 1.06, 0], 1.05, 20);
  b.dome(radius * 0.7, [0, height * 1.14, 0], 1.05, 0.35);
  b.part({ type: "spin", axis: "y", at: [0, height * 0.34, 0], perSecond: 0.18 }, (m) => {
    m.cylinder(radius, 0.08, "y", [0, 0.02, 0], 0.8, 24);
    m.cylinder(radius * 0.25, height * 0.44, "y", [0, height * 0.22, 0], 0.85, 14);
    bottles(m, radius * 0.86, 12);
  });
};

export const capper: Kind = (b, p) => {
  const [length, width, height] = [p("length", 2.2), p("width", 1.8), p("height", 2.4)];
  machine(b, length, width, height);
  const radius = Math.min(length, width) * 0.34;
  b.cylinder(radius * 0.5, 0.5, "y", [length * 0.2, height + 0.25, 0], 0.95, 18, radius * 0.9);
  b.part({ type: "spin", axis: "y", at: [0, height * 0.34, 0], perSecond: 0.22 }, (m) => {
    m.cylinder(radius, 0.08, "y", [0, 0.02, 0], 0.8, 20);
    m.cylinder(radius * 0.2, height * 0.5, "y", [0, height * 0.25, 0], 0.9, 12);
    for (let i = 0; i < 6; i++) {
      const a = (i / 6) * Math.PI * 2;
      m.cylinder(0.07, 0.5, "y", [Math.cos(a) * radius * 0.8, height * 0.4, Math.sin(a) * radius * 0.8], 1, 8);
    }
    bottles(m, radius * 0.8, 6);
  });
};

export const labeller: Kind = (b, p) => {
  const [length, width, height] = [p("length", 2), p("width", 1.6), p("height", 2)];
  machine(b, length, width, height);
  b.box([length * 0.7, 0.1, width * 0.35], [0, height * 0.36, 0], 0.7);
  b.part({ type: "spin", axis: "z", at: [-length * 0.18, height * 1.2, width * 0.1], perSecond: 0.3 }, (m) => {
    m.cylinder(height * 0.2, 0.2, "z", [0, 0, 0], 1.12, 20);
    m.cylinder(height * 0.07, 0.24, "z", [0, 0, 0], 0.6, 12);
    for (let i = 0; i < 3; i++) m.raw(new BoxGeometry(0.03, height * 0.36, 0.02), [0, 0, 0.11], 0.7, [0, 0, (i * Math.PI) / 3]);
  });
  b.cylinder(height * 0.14, 0.18, "z", [length * 0.22, height * 1.14, width * 0.1], 1.05, 18);
  b.box([length * 0.7, 0.06, 0.1], [0, height * 1.04, width * 0.1], 0.75);
};

export const packer: Kind = (b, p) => {
  const [length, width, height] = [p("length", 3.4), p("width", 2.2), p("height", 2.4)];
  machine(b, length, width, height);
  b.box([length * 0.9, 0.12, width * 0.3], [0, height * 0.36, 0], 0.66);
  for (let i = 0; i < 3; i++) b.box([0.5, 0.42, 0.46], [-length * 0.3 + i * length * 0.3, height * 0.36 + 0.27, 0], 1.15, 0.02);
  b.box([length * 0.3, height * 0.34, width * 0.6], [length * 0.12, height * 0.74, 0], 0.92, 0.03);
  b.box([length * 0.22, 0.7, width * 0.8], [-length * 0.3, height + 0.3, 0], 0.96, 0.04);
};

export const palletiser: Kind = (b, p) => {
  const [length, width, height] = [p("length", 4), p("width", 3.4), p("height", 3.6)];
  for (const [x, z] of [[-1, -1], [1, -1], [-1, 1], [1, 1]] as const) b.box([0.2, height, 0.2], [x * length * 0.46, height / 2, z * width * 0.46], 0.95);
  b.box([length, 0.24, 0.24], [0, height, width * 0.46], 1.04);
  b.box([length, 0.24, 0.24], [0, height, -width * 0.46], 1.04);
  b.box([0.24, 0.24, width], [length * 0.46, height, 0], 1);
  b.box([0.24, 0.24, width], [-length * 0.46, height, 0], 1);
  b.box([1.3, 0.14, 1.1], [0, 0.1, 0], 0.6);
  for (let layer = 0; layer < 3; layer++) for (const [x, z] of [[-0.32, -0.27], [0.32, -0.27], [-0.32, 0.27], [0.32, 0.27]] as const) b.box([0.6, 0.4, 0.5], [x, 0.38 + layer * 0.42, z], 1.12 - layer * 0.04, 0.02);
  b.part({ type: "stroke", axis: "y", length: height * 0.34, perSecond: 0.12 }, (m) => {
    m.box([length * 0.86, 0.12, 0.5], [0, height * 0.55, 0], 0.85);
    m.box([0.9, 0.2, 0.8], [0, height * 0.55 - 0.12, 0], 1.05, 0.03);
  });
};

export const robot: Kind = (b, p) => {
  const reach = p("reach", 1.8);
  b.cylinder(reach * 0.24, 0.12, "y", [0, 0.06, 0], 0.65, 20);
  b.cylinder(reach * 0.2, reach * 0.2, "y", [0, reach * 0.14, 0], 0.9, 18, reach * 0.16);
  b.part({ type: "spin", axis: "y", at: [0, reach * 0.24, 0], perSecond: 0.1 }, (m) => {
    m.cylinder(reach * 0.15, reach * 0.22, "y", [0, reach * 0.1, 0], 1, 18);
    m.cylinder(reach * 0.12, reach * 0.3, "z", [0, reach * 0.26, 0], 0.9, 16);
    m.raw(new BoxGeometry(reach * 0.14, reach * 0.62, reach * 0.14), [reach * 0.12, reach * 0.52, 0], 1.05, [0, 0, -0.4]);
    m.cylinder(reach * 0.1, reach * 0.26, "z", [reach * 0.24, reach * 0.8, 0], 0.9, 16);
    m.raw(new BoxGeometry(reach * 0.6, reach * 0.11, reach * 0.11), [reach * 0.5, reach * 0.74, 0], 1.05, [0, 0, -0.25]);
    m.cylinder(reach * 0.06, reach * 0.16, "y", [reach * 0.8, reach * 0.6, 0], 0.75, 12);
  });
};

export const cnc: Kind = (b, p) => {
  const [length, width, height] = [p("length", 3), p("width", 2.2), p("height", 2.4)];
  b.box([length, height, width], [0, height / 2, 0], 1, 0.08);
  b.box([length * 0.46, height * 0.5, 0.04], [-length * 0.12, height * 0.6, width / 2 + 0.01], 0.45);
  b.box([length * 0.03, height * 0.5, 0.06], [-length * 0.12, height * 0.6, width / 2 + 0.03], 0.8);
  b.box([0.5, 0.7, 0.14], [length * 0.36, height * 0.62, width / 2 + 0.12], 0.9, 0.03);
  b.box([0.36, 0.3, 0.02], [length * 0.36, height * 0.68, width / 2 + 0.2], 0.42);
  b.box([length * 0.34, 0.36, width * 0.5], [-length * 0.2, height + 0.18, 0], 0.9, 0.05);
  b.cylinder(0.07, 0.5, "y", [length * 0.4, height + 0.25, -width * 0.3], 1, 10);
};

export const press: Kind = (b, p) => {
  const [width, height] = [p("width", 2.2), p("height", 3.4)];
  b.box([width, height * 0.24, width * 0.8], [0, height * 0.12, 0], 0.9, 0.05);
  b.box([width * 0.18, height * 0.7, width * 0.6], [-width * 0.4, height * 0.55, 0], 1, 0.03);
  b.box([width * 0.18, height * 0.7, width * 0.6], [width * 0.4, height * 0.55, 0], 1, 0.03);
  b.box([width, height * 0.24, width * 0.7], [0, height * 0.88, 0], 1.04, 0.05);
  b.cylinder(width * 0.2, height * 0.12, "y", [0, height * 1.05, 0], 0.85, 18);
  b.part({ type: "stroke", axis: "y", length: -height * 0.2, perSecond: 0.4 }, (m) => {
    m.box([width * 0.56, height * 0.1, width * 0.5], [0, height * 0.6, 0], 0.8, 0.03);
    m.cylinder(width * 0.1, height * 0.24, "y", [0, height * 0.72, 0], 1.1, 14);
  });
};

export const furnace: Kind = (b, p) => {
  const [length, width, height] = [p("length", 4), p("width", 2.4), p("height", 2.6)];
  b.box([length, 0.3, width], [0, 0.15, 0], 0.62);
  b.box([length, height - 0.3, width], [0, height / 2 + 0.15, 0], 1, 0.1);
  for (let i = 0; i < 5; i++) b.box([0.1, height - 0.2, width + 0.1], [-length * 0.42 + (i * length * 0.84) / 4, height / 2 + 0.1, 0], 0.86);
  b.box([0.06, height * 0.4, width * 0.6], [length / 2 + 0.02, height * 0.5, 0], 0.45);
  b.cylinder(0.24, height * 0.7, "y", [-length * 0.3, height * 1.3, 0], 0.88, 16);
};

export const rack: Kind = (b, p) => {
  const [length, depth, height] = [p("length", 6), p("depth", 1.2), p("height", 4)];
  const bays = Math.max(1, Math.round(length / 2.6));
  for (let i = 0; i <= bays; i++) for (const z of [-depth / 2, depth / 2]) b.box([0.1, height, 0.1], [-length / 2 + (length * i) / bays, height / 2, z], 0.85);
  for (const y of [0.3, 0.62, 0.94]) {
    for (const z of [-depth / 2, depth / 2]) b.box([length, 0.1, 0.06], [0, height * y, z], 1);
    if (y > 0.9) continue;
    for (let i = 0; i < bays * 2; i++) if ((i * 7 + Math.round(y * 10)) % 5) b.box([1, 0.7, depth * 0.8], [-length / 2 + (length * (i + 0.5)) / (bays * 2), height * y + 0.4, 0], 1.1, 0.02);
  }
};

export const box: Kind = (b, p) => {
  const [width, depth, height] = [p("width", 2), p("depth", 2), p("height", 2)];
  b.box([width, height, depth], [0, height / 2, 0], 1, Math.min(0.08, width * 0.04));
};
