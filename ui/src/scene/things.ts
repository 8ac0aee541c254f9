/** All objects of a scene as instanced meshes: one mesh for each (kind, parameters), one for each moving part. */

import {
  Box3,
  Color,
  DynamicDrawUsage,
  Euler,
  Group,
  InstancedMesh,
  Matrix4,
  MeshLambertMaterial,
  Quaternion,
  Vector3,
  type Intersection,
  type Object3D,
} from "three";
import type { Scene, SceneObject } from "@/core/types.ts";
import { build } from "./kinds/index.ts";
import type { Motion, Part } from "./shapes.ts";

export interface Thing {
  index: number;
  object: SceneObject;
  twin: string;
  box: Box3;
  top: Vector3;
  matrix: Matrix4;
  /** 0 still, 1 full speed. */
  speed: number;
  /** Seconds of motion so far. */
  phase: number;
  level: number;
  parts: { mesh: InstancedMesh; first: number; count: number; motion: Motion }[];
  body: { mesh: InstancedMesh; at: number };
}

const FULL_COPIES = 12;

export class Things {
  readonly group = new Group();
  readonly all: Thing[] = [];
  readonly byTwin = new Map<string, Thing>();
  readonly bounds = new Box3();
  #bodies: InstancedMesh[] = [];
  #owners = new Map<Object3D, Thing[]>();
  #material = new MeshLambertMaterial({ vertexColors: true });
  #color = new Color();

  constructor(scene: Scene) {
    const groups = new Map<string, SceneObject[]>();
    for (const object of scene.objects) {
      const key = `${object.kind}\n${JSON.stringify(object.parameters ?? {})}`;
      const list = groups.get(key);
      if (list) list.push(object);
      else groups.set(key, [object]);
    }
    for (const objects of groups.values()) this.#addGroup(objects);
    for (const thing of this.all) this.bounds.union(thing.box);
  }

  #addGroup(objects: SceneObject[]): void {
    const model = build(objects[0]!.kind, objects[0]!.parameters);
    const body = new InstancedMesh(model.body, this.#material, objects.length);
    body.castShadow = body.receiveShadow = true;
    this.#bodies.push(body);
    this.group.add(body);
    const things = objects.map((object, at) => this.#place(object, body, at));
    this.#owners.set(body, things);
    for (const part of model.parts) this.#addPart(part, things);
    body.computeBoundingSphere();
  }

  #place(object: SceneObject, body: InstancedMesh, at: number): Thing {
    const [x, y, z] = position(object.at);
    const scale = object.scale && object.scale > 0 ? object.scale : 1;
    const turn = new Quaternion().setFromEuler(new Euler(0, ((object.turn ?? 0) * Math.PI) / 180, 0));
    const matrix = new Matrix4().compose(new Vector3(x, y, z), turn, new Vector3(scale, scale, scale));
    body.setMatrixAt(at, matrix);
    const box = body.geometry.boundingBox!.clone().applyMatrix4(matrix);
    const thing: Thing = {
      index: this.all.length,
      object,
      twin: object.twin ?? "",
      box,
      top: new Vector3((box.min.x + box.max.x) / 2, box.max.y, (box.min.z + box.max.z) / 2),
      matrix,
      speed: 0,
      phase: this.all.length * 0.37,
      level: -1,
      parts: [],
      body: { mesh: body, at },
    };
    this.all.push(thing);
    if (thing.twin && !this.byTwin.has(thing.twin)) this.byTwin.set(thing.twin, thing);
    return thing;
  }

  #addPart(part: Part, things: Thing[]): void {
    const copies = part.motion.type === "slide" ? Math.max(1, Math.min(FULL_COPIES, Math.floor((part.motion.to - part.motion.from) / part.motion.spacing))) : 1;
    const mesh = new InstancedMesh(part.geometry, this.#material, things.length * copies);
    mesh.instanceMatrix.setUsage(DynamicDrawUsage);
    mesh.castShadow = part.motion.type !== "spin";
    mesh.frustumCulled = false;
    const owners: Thing[] = [];
    things.forEach((thing, i) => {
      for (let k = 0; k < copies; k++) owners.push(thing);
      thing.parts.push({ mesh, first: i * copies, count: copies, motion: part.motion });
      if (part.motion.type === "spin") {
        thing.box.union(part.geometry.boundingBox!.clone().translate(new Vector3(...part.motion.at)).applyMatrix4(thing.matrix));
        if (thing.object.kind === "wind-turbine") sweep(thing, part);
      }
    });
    this.#owners.set(mesh, owners);
    this.group.add(mesh);
    for (const thing of things) this.pose(thing);
  }

  /** Puts the moving parts of a thing where its phase and level say. */
  pose(thing: Thing): void {
    for (const part of thing.parts) {
      for (let k = 0; k < part.count; k++) {
        local(part.motion, thing, k, part.count, MATRIX).premultiply(thing.matrix);
        part.mesh.setMatrixAt(part.first + k, MATRIX);
      }
      part.mesh.instanceMatrix.needsUpdate = true;
    }
  }

  paint(thing: Thing, color: string, fade: Color | null): void {
    this.#color.set(color);
    if (fade) this.#color.lerp(fade, 0.6);
    thing.body.mesh.setColorAt(thing.body.at, this.#color);
    if (thing.body.mesh.instanceColor) thing.body.mesh.instanceColor.needsUpdate = true;
    for (const part of thing.parts) {
      for (let k = 0; k < part.count; k++) part.mesh.setColorAt(part.first + k, this.#color);
      if (part.mesh.instanceColor) part.mesh.instanceColor.needsUpdate = true;
    }
  }

  /** The thing that shows a twin: its own, or that of the nearest twin that contains it. */
  showing(twin: string, parentOf: (twin: string) => string | null | undefined): Thing | undefined {
    let at: string | null | undefined = twin;
    for (let steps = 0; at && steps < 20; steps++) {
      const thing = this.byTwin.get(at);
      if (thing) return thing;
      at = parentOf(at);
    }
    return undefined;
  }

  thingAt(hits: Intersection[]): Thing | null {
    for (const hit of hits) {
      const thing = hit.instanceId === undefined ? undefined : this.#owners.get(hit.object)?.[hit.instanceId];
      if (thing?.twin) return thing;
    }
    return null;
  }

  dispose(): void {
    for (const mesh of this.#owners.keys()) {
      (mesh as InstancedMesh).geometry.dispose();
      (mesh as InstancedMesh).dispose();
    }
    this.#material.dispose();
  }
}

const MATRIX = new Matrix4();
const STEP = new Matrix4();

/** Where a part stands inside its thing. */
function local(motion: Motion, thing: Thing, copy: number, copies: number, out: Matrix4): Matrix4 {
  if (motion.type === "spin") {
    const angle = thing.phase * motion.perSecond * Math.PI * 2;
    if (motion.axis === "x") out.makeRotationX(angle);
    else if (motion.axis === "y") out.makeRotationY(angle);
    else out.makeRotationZ(-angle);
    return out.premultiply(STEP.makeTranslation(...motion.at));
  }
  if (motion.type === "slide") {
    const length = motion.to - motion.from;
    const gap = length / copies;
    return out.makeTranslation(motion.from + ((thing.phase * motion.perSecond + copy * gap) % length), 0, 0);
  }
  if (motion.type === "stroke") {
    const distance = (0.5 - 0.5 * Math.cos(thing.phase * motion.perSecond * Math.PI * 2)) * motion.length;
    return out.makeTranslation(motion.axis === "x" ? distance : 0, motion.axis === "y" ? distance : 0, motion.axis === "z" ? distance : 0);
  }
  const level = Math.max(0.004, Math.min(1, thing.level));
  return out.makeScale(1, level, 1).premultiply(STEP.makeTranslation(0, motion.bottom, 0));
}

/** The whole circle of a rotor belongs to the turbine, wherever its blades stand. */
function sweep(thing: Thing, part: Part): void {
  if (part.motion.type !== "spin") return;
  const radius = part.geometry.boundingSphere!.radius;
  const centre = new Vector3(...part.motion.at).applyMatrix4(thing.matrix);
  thing.box.expandByPoint(new Vector3(centre.x - radius * 0.7, centre.y + radius * 0.9, centre.z));
  thing.box.expandByPoint(new Vector3(centre.x + radius * 0.7, centre.y, centre.z));
  thing.top.set(centre.x, centre.y + radius * 0.25, centre.z);
}

export function position(at: number[]): [number, number, number] {
  return at.length > 2 ? [at[0] ?? 0, at[1] ?? 0, at[2] ?? 0] : [at[0] ?? 0, 0, at[1] ?? 0];
}
