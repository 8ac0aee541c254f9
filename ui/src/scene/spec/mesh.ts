/** Triangles of plain shapes; src/gemel/scene/mesh.py makes the same ones, and a test compares the two. */

export type Triple = [number, number, number];
export type Axis = "x" | "y" | "z";

/** From the shape's own axis, y, to the one that is asked for. */
function along(axis: Axis, p: Triple): Triple {
  if (axis === "x") return [p[1], -p[0], p[2]];
  if (axis === "z") return [p[0], -p[2], p[1]];
  return p;
}

/** Rotation about x, then y, then z (radians), then a move; nests. */
export class Placing {
  constructor(
    private readonly m: number[] = [1, 0, 0, 0, 1, 0, 0, 0, 1],
    private readonly at: Triple = [0, 0, 0],
  ) {}

  inside(at: Triple, turn: Triple): Placing {
    const [a, b, c] = turn;
    const [ca, sa, cb, sb, cc, sc] = [Math.cos(a), Math.sin(a), Math.cos(b), Math.sin(b), Math.cos(c), Math.sin(c)];
    const r = [cb * cc, -cb * sc, sb, ca * sc + sa * cc * sb, ca * cc - sa * sc * sb, -sa * cb, sa * sc - ca * cc * sb, sa * cc + ca * sc * sb, ca * cb];
    const { m } = this;
    const out: number[] = [];
    for (let i = 0; i < 3; i++) for (let j = 0; j < 3; j++) out.push(m[i * 3]! * r[j]! + m[i * 3 + 1]! * r[3 + j]! + m[i * 3 + 2]! * r[6 + j]!);
    return new Placing(out, this.point(at));
  }

  point([x, y, z]: Triple): Triple {
    const [dx, dy, dz] = this.direction([x, y, z]);
    return [dx + this.at[0], dy + this.at[1], dz + this.at[2]];
  }

  direction([x, y, z]: Triple): Triple {
    const { m } = this;
    return [m[0]! * x + m[1]! * y + m[2]! * z, m[3]! * x + m[4]! * y + m[5]! * z, m[6]! * x + m[7]! * y + m[8]! * z];
  }
}

/** One shape on its way into a mesh: where its vertices go, and how its own axis lies. */
export class Pen {
  constructor(
    private readonly mesh: Mesh,
    private readonly placing: Placing,
    private readonly axis: Axis,
    private readonly shade: number,
  ) {}

  triangle(points: Triple[], normals: Triple[]): void {
    for (let i = 0; i < 3; i++) {
      this.mesh.positions.push(...this.placing.point(along(this.axis, points[i]!)));
      this.mesh.normals.push(...this.placing.direction(along(this.axis, normals[i]!)));
      this.mesh.shades.push(this.shade);
    }
  }

  /** A flat polygon, its corners anticlockwise seen from outside. */
  flat(...points: Triple[]): void {
    const normal = normalOf(points[0]!, points[1]!, points[2]!);
    for (let i = 1; i + 1 < points.length; i++) this.triangle([points[0]!, points[i]!, points[i + 1]!], [normal, normal, normal]);
  }

  /** A surface of rows and columns; `isPoint` says which rows shrink to one point. */
  surface(rows: number, columns: number, at: (row: number, column: number) => [Triple, Triple], isPoint: (row: number) => boolean, isFlipped = false): void {
    for (let r = 0; r < rows; r++) {
      for (let c = 0; c < columns; c++) {
        const [a, b, d, e] = [at(r, c), at(r, c + 1), at(r + 1, c + 1), at(r + 1, c)];
        const write = (...three: [Triple, Triple][]): void => this.triangle((isFlipped ? three.reverse() : three).map((one) => one[0]), three.map((one) => one[1]));
        if (!isPoint(r)) write(a, d, b);
        if (!isPoint(r + 1)) write(a, e, d);
      }
    }
  }
}

export class Mesh {
  readonly positions: number[] = [];
  readonly normals: number[] = [];
  readonly shades: number[] = [];

  get triangles(): number {
    return this.shades.length / 3;
  }

  /** Bodies get darker towards the floor. */
  grounded(): void {
    for (let i = 0; i < this.shades.length; i++) {
      const height = Math.max(0, Math.min(1, this.positions[i * 3 + 1]! / 1.6));
      this.shades[i]! *= 0.7 + 0.3 * height;
    }
  }

  bounds(): { min: Triple; max: Triple } {
    const [min, max]: [Triple, Triple] = [[Infinity, Infinity, Infinity], [-Infinity, -Infinity, -Infinity]];
    for (let i = 0; i < this.positions.length; i++) {
      min[i % 3] = Math.min(min[i % 3]!, this.positions[i]!);
      max[i % 3] = Math.max(max[i % 3]!, this.positions[i]!);
    }
    return { min, max };
  }
}

function normalOf(a: Triple, b: Triple, c: Triple): Triple {
  const [ux, uy, uz, vx, vy, vz] = [b[0] - a[0], b[1] - a[1], b[2] - a[2], c[0] - a[0], c[1] - a[1], c[2] - a[2]];
  return unit([uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx]);
}

export function unit([x, y, z]: Triple): Triple {
  const length = Math.hypot(x, y, z) || 1;
  return [x / length, y / length, z / length];
}

/** Corners of a box of the halves `h`, each pulled in by `inset` on two of the three axes. */
export function drawBox(pen: Pen, size: Triple, bevel: number): void {
  const h: Triple = [size[0] / 2, size[1] / 2, size[2] / 2];
  const isBevelled = bevel > 0 && Math.min(...size) > bevel * 2.2;
  const e = isBevelled ? bevel : 0;
  for (let axis = 0; axis < 3; axis++) {
    const [u, v] = [(axis + 1) % 3, (axis + 2) % 3];
    for (const s of [1, -1]) pen.flat(...turned([[1, 1], [-1, 1], [-1, -1], [1, -1]].map(([a, b]) => place(axis, u, v, s * h[axis]!, a! * (h[u]! - e), b! * (h[v]! - e))), s));
  }
  if (isBevelled) drawBevels(pen, h, e);
}

function drawBevels(pen: Pen, h: Triple, e: number): void {
  for (let axis = 0; axis < 3; axis++) {
    const [u, v] = [(axis + 1) % 3, (axis + 2) % 3];
    const w = h[axis]! - e;
    for (const [a, b] of [[1, 1], [-1, 1], [-1, -1], [1, -1]] as const) {
      const near = (end: number): Triple => place(axis, u, v, end * w, a * h[u]!, b * (h[v]! - e));
      const far = (end: number): Triple => place(axis, u, v, end * w, a * (h[u]! - e), b * h[v]!);
      pen.flat(...turned([near(-1), far(-1), far(1), near(1)], a * b));
    }
  }
  for (const x of [1, -1]) for (const y of [1, -1]) for (const z of [1, -1]) pen.flat(...turned([[x * h[0], y * (h[1] - e), z * (h[2] - e)], [x * (h[0] - e), y * h[1], z * (h[2] - e)], [x * (h[0] - e), y * (h[1] - e), z * h[2]]], x * y * z));
}

function place(axis: number, u: number, v: number, onAxis: number, onU: number, onV: number): Triple {
  const found: Triple = [0, 0, 0];
  found[axis] = onAxis;
  found[u] = onU;
  found[v] = onV;
  return found;
}

const turned = (points: Triple[], sign: number): Triple[] => (sign > 0 ? points : [...points].reverse());

function circle(column: number, columns: number): [number, number] {
  const a = (column / columns) * Math.PI * 2;
  return [Math.cos(a), Math.sin(a)];
}

export function drawCylinder(pen: Pen, bottom: number, top: number, length: number, sides: number): void {
  const slope = (bottom - top) / length;
  pen.surface(1, sides, (row, column) => {
    const [c, s] = circle(column, sides);
    const radius = row ? top : bottom;
    return [[c * radius, (row - 0.5) * length, s * radius], unit([c, slope, s])];
  }, (row) => (row ? top : bottom) === 0);
  for (const [radius, y, sign] of [[top, length / 2, 1], [bottom, -length / 2, -1]] as const) {
    if (radius === 0) continue;
    for (let i = 0; i < sides; i++) {
      const [[c, s], [d, t]] = [circle(i, sides), circle(i + 1, sides)];
      pen.flat(...turned([[0, y, 0], [d * radius, y, t * radius], [c * radius, y, s * radius]], sign));
    }
  }
}

/** Part of a ball from the angle `from` (its pole is 0) to `to`, flattened by `flat`. */
export function drawBall(pen: Pen, radius: number, from: number, to: number, flat: number, sides: number, rings: number, sign = 1): void {
  pen.surface(rings, sides, (row, column) => {
    const angle = to + ((from - to) * row) / rings;
    const [c, s] = circle(column, sides);
    const [r, y] = [Math.sin(angle), Math.cos(angle)];
    return [[c * r * radius, sign * y * radius * flat, s * r * radius], unit([c * r, (sign * y) / flat, s * r])];
  }, (row) => (row === rings && from === 0) || (row === 0 && to === Math.PI), sign < 0);
}

export function drawRing(pen: Pen, radius: number, thickness: number, sides: number): void {
  pen.surface(5, sides, (row, column) => {
    const [c, s] = circle(column, sides);
    const [d, t] = circle(row, 5);
    return [[c * (radius + d * thickness), t * thickness, s * (radius + d * thickness)], [c * d, t, s * d]];
  }, () => false);
}

/** An open tube that is seen from inside too. */
export function drawTube(pen: Pen, radius: number, length: number, sides: number): void {
  for (const sign of [1, -1]) {
    pen.surface(1, sides, (row, column) => {
      const [c, s] = circle(column, sides);
      return [[c * radius, (row - 0.5) * length, s * radius], [c * sign, 0, s * sign]];
    }, () => false, sign < 0);
  }
}

/** A profile of [radius, height], turned about the axis. */
export function drawLathe(pen: Pen, profile: [number, number][], sides: number): void {
  const last = profile.length - 1;
  const slope = (row: number): [number, number] => {
    const [a, b] = [profile[Math.max(0, row - 1)]!, profile[Math.min(last, row + 1)]!];
    return [b[1] - a[1], a[0] - b[0]];
  };
  pen.surface(last, sides, (row, column) => {
    const [c, s] = circle(column, sides);
    const [radius, y] = profile[row]!;
    const [n, up] = slope(row);
    return [[c * radius, y, s * radius], unit([c * n, up, s * n])];
  }, (row) => profile[row]![0] === 0);
}

/** A convex outline of [x, z], anticlockwise seen from above, raised to a height. */
export function drawExtrude(pen: Pen, outline: [number, number][], height: number): void {
  const up = (y: number): Triple[] => outline.map(([x, z]) => [x, y, z]);
  pen.flat(...up(height));
  pen.flat(...up(0).reverse());
  outline.forEach(([x, z], i) => {
    const [p, q] = outline[(i + 1) % outline.length]!;
    pen.flat([x, 0, z], [p, 0, q], [p, height, q], [x, height, z]);
  });
}

/** Rings of points joined to each other, flat between them. */
export function drawLoft(pen: Pen, rings: Triple[][]): void {
  for (let i = 0; i + 1 < rings.length; i++) {
    const [low, high] = [rings[i]!, rings[i + 1]!];
    for (let k = 0; k < low.length; k++) {
      const next = (k + 1) % low.length;
      pen.flat(low[k]!, low[next]!, high[next]!, high[k]!);
    }
  }
}
