/** From a shape spec and parameters to triangles: the body of a thing, and its moving parts. */

import document from "../../../../src/gemel/scene/kinds.json";
import { evaluate as compute, type Names } from "./expression.ts";
import { drawBall, drawBox, drawCylinder, drawExtrude, drawLathe, drawLoft, drawRing, drawTube, Mesh, Pen, Placing, type Axis, type Triple } from "./mesh.ts";

export type Value = number | string;
export type Shape = { [key: string]: unknown; shapes?: Shape[] };
export interface Spec {
  parameters: Record<string, number>;
  shapes: Shape[];
}
export interface Specs {
  macros?: Record<string, { takes: string[]; shapes: Shape[] }>;
  kinds: Record<string, Spec>;
}
/** How a moving part moves at full speed. */
export type Motion =
  | { type: "spin"; axis: Axis; at: Triple; perSecond: number }
  | { type: "slide"; from: number; to: number; spacing: number; perSecond: number }
  | { type: "stroke"; axis: Axis; length: number; perSecond: number }
  | { type: "level"; bottom: number };

export interface Built {
  body: Mesh;
  parts: { mesh: Mesh; motion: Motion }[];
}

export const SPECS = document as unknown as Required<Specs>;
const MOST_REPEATS = 400;
const MOST_TRIANGLES = 20_000;
const DEEPEST = 12;
/** With few sides: shapes that matter at a distance, plainly. */
const FEW_SIDES = 7;
const FEW_TRIANGLES = 300;

/**
 * Builds a kind; what a scene says wrongly (no number, zero, less) falls back to the default, an unknown kind is a box.
 * `own` are the kinds that a scene brings along; `isPlain` gives the few triangles that show it from afar.
 */
export function buildKind(kind: string, parameters: Record<string, unknown> = {}, own?: Specs, isPlain = false): Built {
  const spec = ownKind(own, kind) ?? ownKind(SPECS, kind) ?? SPECS.kinds["box"]!;
  const names: Names = {};
  for (const [name, fallback] of Object.entries(spec.parameters ?? {})) {
    const value = parameters[name];
    names[name] = typeof value === "number" && Number.isFinite(value) && value > 0 && value < 1000 ? value : fallback;
  }
  const builder = new Builder({ ...SPECS.macros, ...own?.macros }, isPlain);
  builder.draw(spec.shapes, { ...names }, new Placing(), 1, 0);
  return builder.finish();
}

function ownKind(specs: Specs | undefined, kind: string): Spec | undefined {
  return specs?.kinds && Object.hasOwn(specs.kinds, kind) ? specs.kinds[kind] : undefined;
}

class Builder {
  #parts: Built["parts"] = [];
  #body = new Mesh();
  #mesh = this.#body;
  /** For the plain form: the shapes with their size, largest first. */
  #sized: { size: number; mesh: Mesh }[] = [];

  constructor(
    private readonly macros: Required<Specs>["macros"],
    private readonly isPlain: boolean,
  ) {}

  draw(shapes: Shape[], names: Names, placing: Placing, shade: number, depth: number): void {
    if (depth > DEEPEST) throw new Error("the shapes are nested too deeply");
    for (const shape of shapes) {
      if (shape["let"]) for (const [name, value] of Object.entries(shape["let"] as Names)) names[name] = compute(value, names);
      else if (shape["use"]) this.#use(shape, names, placing, shade, depth);
      else if (shape["part"]) this.#part(shape, names, depth);
      else if (shape["when"] !== undefined) {
        if (compute(shape["when"], names)) this.draw(shape.shapes!, { ...names }, placing, shade, depth + 1);
      } else if (shape["repeat"] || shape["each"]) this.#loop(shape, names, placing, shade, depth);
      else this.#shape(shape, names, placing, shade);
    }
  }

  finish(): Built {
    if (this.isPlain) {
      this.#sized.sort((a, b) => b.size - a.size);
      for (const { mesh } of this.#sized) {
        if (this.#body.triangles + mesh.triangles > FEW_TRIANGLES) continue;
        for (const name of ["positions", "normals", "shades"] as const) for (const value of mesh[name]) this.#body[name].push(value);
      }
    }
    this.#body.grounded();
    return { body: this.#body, parts: this.#parts };
  }

  #use(shape: Shape, names: Names, placing: Placing, shade: number, depth: number): void {
    const macro = this.macros[String(shape["use"])];
    if (!macro) throw new Error(`there is no macro '${String(shape["use"])}'`);
    const given = (shape["with"] as Value[]) ?? [];
    const inner = Object.fromEntries(macro.takes.map((name, i) => [name, compute(given[i], names)]));
    this.draw(macro.shapes, inner, placing.inside(triple(shape["at"], names), triple(shape["turn"], names)), shade * compute(shape["shade"] ?? 1, names), depth + 1);
  }

  #part(shape: Shape, names: Names, depth: number): void {
    const motion = Object.fromEntries(Object.entries(shape["part"] as Shape).map(([key, value]) => [key, key === "type" || key === "axis" ? value : Array.isArray(value) ? triple(value, names) : compute(value, names)]));
    const outer = this.#mesh;
    const mesh = (this.#mesh = new Mesh());
    if (!this.isPlain) this.draw(shape.shapes!, { ...names }, new Placing(), 1, depth + 1);
    this.#mesh = outer;
    if (mesh.triangles) this.#parts.push({ mesh, motion: motion as Motion });
  }

  #loop(shape: Shape, names: Names, placing: Placing, shade: number, depth: number): void {
    const rounds: [string, number][][] = [];
    if (shape["each"]) {
      const variables = [shape["each"]].flat() as string[];
      for (const row of shape["of"] as (Value | Value[])[]) rounds.push(variables.map((name, i) => [name, compute([row].flat()[i], names)]));
    } else {
      const name = String(shape["repeat"]);
      const [from, step] = [compute(shape["from"] ?? 0, names), compute(shape["step"] ?? 1, names)];
      const count = shape["to"] === undefined ? compute(shape["count"], names) : Math.ceil((compute(shape["to"], names) - from) / step - 1e-9);
      for (let i = 0; i < Math.min(MOST_REPEATS, count); i++) rounds.push([[name, from + i * step]]);
    }
    for (const round of rounds) this.draw(shape.shapes!, { ...names, ...Object.fromEntries(round) }, placing, shade, depth + 1);
  }

  #shape(shape: Shape, names: Names, placing: Placing, outerShade: number): void {
    const into = this.isPlain ? new Mesh() : this.#mesh;
    const number = (key: string, fallback: number): number => compute(shape[key] ?? fallback, names);
    const sides = (fallback: number): number => Math.max(3, Math.round(this.isPlain ? Math.min(FEW_SIDES, number("sides", fallback)) : number("sides", fallback)));
    const pen = new Pen(into, placing.inside(triple(shape["at"], names), triple(shape["turn"], names)), (shape["axis"] as Axis) ?? "y", outerShade * number("shade", 1));
    const radius = number("radius", 1);
    switch (shape["shape"]) {
      case "box":
        drawBox(pen, triple(shape["size"], names), this.isPlain ? 0 : number("bevel", 0));
        break;
      case "cylinder":
        drawCylinder(pen, radius, number("top", radius), number("length", 1), sides(20));
        break;
      case "dome":
        drawBall(pen, radius, 0, Math.PI / 2, number("flat", 0.4), sides(20), this.isPlain ? 2 : 6, number("sign", 1));
        break;
      case "sphere":
        drawBall(pen, radius, 0, Math.PI, 1, sides(16), this.isPlain ? 4 : number("rings", 8));
        break;
      case "ring":
        if (!this.isPlain) drawRing(pen, radius, number("thickness", 0.1), sides(24));
        break;
      case "tube":
        drawTube(pen, radius, number("length", 1), sides(24));
        break;
      case "lathe":
        drawLathe(pen, pairs(shape["profile"], names), sides(20));
        break;
      case "extrude":
        drawExtrude(pen, pairs(shape["outline"], names), number("height", 1));
        break;
      case "loft":
        drawLoft(pen, (shape["rings"] as Value[][][]).map((ring) => ring.map((point) => triple(point, names))));
        break;
      case "quads":
        for (const quad of shape["quads"] as Value[][][]) pen.flat(...quad.map((point) => triple(point, names)));
        break;
      default:
        throw new Error(`there is no shape '${String(shape["shape"])}'`);
    }
    if (this.isPlain && into.triangles) {
      const { min, max } = into.bounds();
      this.#sized.push({ size: (max[0] - min[0]) * (max[1] - min[1]) + (max[1] - min[1]) * (max[2] - min[2]) + (max[0] - min[0]) * (max[2] - min[2]), mesh: into });
    }
    if (this.#mesh.triangles > MOST_TRIANGLES) throw new Error(`more than ${MOST_TRIANGLES} triangles`);
  }
}

function triple(values: unknown, names: Names): Triple {
  if (!Array.isArray(values)) return [0, 0, 0];
  return [compute(values[0] ?? 0, names), compute(values[1] ?? 0, names), compute(values[2] ?? 0, names)];
}

function pairs(values: unknown, names: Names): [number, number][] {
  return (values as Value[][]).map((pair) => [compute(pair[0], names), compute(pair[1], names)]);
}
