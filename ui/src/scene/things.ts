/**
 * All objects of a scene in one batch: one draw call for every body and moving part, each in the level of detail that
 * its size on the screen deserves, within a budget of triangles.
 */

import { BatchedMesh, Box3, BufferAttribute, BufferGeometry, Color, Euler, Group, Matrix4, MeshLambertMaterial, Points, PointsMaterial, Quaternion, Vector3, type Intersection, type PerspectiveCamera } from "three";
import type { Scene, SceneObject } from "@/core/types.ts";
import { shapeOf, type OwnShape } from "./own.ts";
import { boxAround, build, type Model, type Motion, type Part } from "./kinds.ts";

export interface Thing {
  index: number;
  object: SceneObject;
  /** What it is drawn with: things of one key share their shapes. */
  key: string;
  twin: string;
  /** Around its body before it is put in its place. */
  own: Box3;
  rotors: Rotor[];
  box: Box3;
  top: Vector3;
  centre: Vector3;
  radius: number;
  matrix: Matrix4;
  /** 0 still, 1 full speed. */
  speed: number;
  /** Seconds of motion so far. */
  phase: number;
  level: number;
  parts: { first: number; count: number; motion: Motion }[];
  body: number;
  forms: Forms;
  /** 0 whole, 1 plain, 2 a box. */
  detail: number;
  isHidden: boolean;
}

interface Forms {
  ids: [number, number, number];
  triangles: [number, number, number];
}

/** A sensor among many is a point: no body of its own, but a colour and a place. */
export interface Dot {
  object: SceneObject;
  twin: string;
  at: Vector3;
}

const FULL_COPIES = 12;
/** More sensors than this are drawn as points. */
const MOST_SENSORS = 150;
/** Half the height of the screen over the distance at which a thing deserves all its triangles, or its plain form. */
const WHOLE_FROM = 0.035;
const PLAIN_FROM = 0.008;

export class Things {
  readonly group = new Group();
  readonly all: Thing[] = [];
  readonly dots: Dot[] = [];
  readonly byTwin = new Map<string, Thing>();
  readonly bounds = new Box3();
  readonly batch: BatchedMesh;
  readonly points: Points<BufferGeometry, PointsMaterial> | null = null;
  /** Triangles of what is shown now. */
  triangles = 0;
  #owners: Thing[] = [];
  #material = new MeshLambertMaterial({ vertexColors: true });
  #color = new Color();

  constructor(scene: Scene, own: ReadonlyMap<string, OwnShape> = new Map()) {
    const sensors = scene.objects.filter((object) => object.kind === "sensor");
    const isMany = sensors.length > MOST_SENSORS;
    const groups = new Map<string, SceneObject[]>();
    for (const object of scene.objects) {
      if (isMany && object.kind === "sensor") continue;
      const key = keyOf(object, scene, own);
      const list = groups.get(key);
      if (list) list.push(object);
      else groups.set(key, [object]);
    }
    const models = [...groups].map(([key, objects]) => modelOf(key, objects, scene, own.get(shapeOf(objects[0]!, scene) ?? "")));
    this.batch = new BatchedMesh(models.reduce((sum, one) => sum + one.instances, 1), models.reduce((sum, one) => sum + one.vertices, 12), 0, this.#material);
    this.batch.sortObjects = false;
    this.batch.castShadow = this.batch.receiveShadow = true;
    this.batch.frustumCulled = false;
    for (const model of models) this.#addGroup(model);
    this.group.add(this.batch);
    if (isMany) this.points = this.#addDots(sensors);
    this.#bound();
  }

  #bound(): void {
    this.bounds.makeEmpty();
    for (const thing of this.all) this.bounds.union(thing.box);
    for (const dot of this.dots) this.bounds.expandByPoint(dot.at);
  }

  /** Follows a scene in which the same things stand, maybe elsewhere; false, and nothing is done, if others do. */
  follow(scene: Scene, own: ReadonlyMap<string, OwnShape> = new Map()): boolean {
    if (this.dots.length) return false;
    const known = new Map<string, Thing[]>();
    for (const thing of this.all) known.set(`${thing.key}\n${thing.twin}`, [...(known.get(`${thing.key}\n${thing.twin}`) ?? []), thing]);
    const next = new Map<Thing, SceneObject>();
    for (const object of scene.objects) {
      const thing = known.get(`${keyOf(object, scene, own)}\n${object.twin ?? ""}`)?.shift();
      if (!thing) return false;
      next.set(thing, object);
    }
    if (next.size !== this.all.length) return false;
    for (const [thing, object] of next) {
      if (JSON.stringify(thing.object) !== JSON.stringify(object)) this.#move(thing, object);
    }
    this.#bound();
    this.forget();
    return true;
  }

  #move(thing: Thing, object: SceneObject): void {
    thing.object = object;
    settle(thing);
    this.batch.setMatrixAt(thing.body, thing.matrix);
    this.pose(thing);
  }

  /** Goes on where other things of the same twins were: what turned goes on turning. */
  inherit(before: Things): void {
    for (const thing of this.all) {
      const old = thing.twin ? before.byTwin.get(thing.twin) : undefined;
      if (old?.key !== thing.key) continue;
      [thing.phase, thing.speed, thing.level] = [old.phase, old.speed, old.level];
      this.pose(thing);
    }
  }

  #addGroup({ key, objects, model, plain, box }: GroupModel): void {
    const geometries = [model.body, plain.body, box] as const;
    const forms: Forms = {
      ids: geometries.map((one) => this.batch.addGeometry(one)) as [number, number, number],
      triangles: [countOf(model.body) + model.parts.reduce((sum, part) => sum + countOf(part.geometry) * copiesOf(part), 0), countOf(plain.body), countOf(box)],
    };
    const things = objects.map((object) => this.#place(key, object, forms, model));
    for (const part of model.parts) this.#addPart(part, things);
    for (const one of [...geometries, ...model.parts.map((part) => part.geometry)]) one.dispose();
  }

  #place(key: string, object: SceneObject, forms: Forms, model: Model): Thing {
    const body = this.batch.addInstance(forms.ids[0]);
    const thing: Thing = {
      index: this.all.length,
      object,
      key,
      twin: object.twin ?? "",
      own: model.body.boundingBox!,
      rotors: model.parts.flatMap(rotorOf),
      box: new Box3(),
      top: new Vector3(),
      centre: new Vector3(),
      radius: 0,
      matrix: new Matrix4(),
      speed: 0,
      phase: this.all.length * 0.37,
      level: -1,
      parts: [],
      body,
      forms,
      detail: 0,
      isHidden: false,
    };
    settle(thing);
    this.batch.setMatrixAt(body, thing.matrix);
    this.all.push(thing);
    this.#owners[body] = thing;
    if (thing.twin && !this.byTwin.has(thing.twin)) this.byTwin.set(thing.twin, thing);
    return thing;
  }

  #addPart(part: Part, things: Thing[]): void {
    const copies = copiesOf(part);
    const geometry = this.batch.addGeometry(part.geometry);
    for (const thing of things) {
      let first = -1;
      for (let k = 0; k < copies; k++) {
        const id = this.batch.addInstance(geometry);
        if (k === 0) first = id;
        this.#owners[id] = thing;
      }
      thing.parts.push({ first, count: copies, motion: part.motion });
      this.pose(thing);
    }
  }

  #addDots(sensors: SceneObject[]): Points<BufferGeometry, PointsMaterial> {
    const positions = new Float32Array(sensors.length * 3);
    sensors.forEach((object, i) => {
      const at = new Vector3(...position(object.at));
      this.dots.push({ object, twin: object.twin ?? "", at });
      at.toArray(positions, i * 3);
    });
    const geometry = new BufferGeometry();
    geometry.setAttribute("position", new BufferAttribute(positions, 3));
    geometry.setAttribute("color", new BufferAttribute(new Float32Array(sensors.length * 3).fill(0.6), 3));
    const points = new Points(geometry, new PointsMaterial({ size: 4, sizeAttenuation: false, vertexColors: true }));
    points.frustumCulled = false;
    this.group.add(points);
    return points;
  }

  /** Puts the moving parts of a thing where its phase and level say. */
  pose(thing: Thing): void {
    for (const part of thing.parts) {
      for (let k = 0; k < part.count; k++) {
        local(part.motion, thing, k, part.count, MATRIX).premultiply(thing.matrix);
        this.batch.setMatrixAt(part.first + k, MATRIX);
      }
    }
  }

  paint(thing: Thing, color: string, fade: Color | null): void {
    this.#color.set(color);
    if (fade) this.#color.lerp(fade, 0.6);
    this.batch.setColorAt(thing.body, this.#color);
    for (const part of thing.parts) for (let k = 0; k < part.count; k++) this.batch.setColorAt(part.first + k, this.#color);
  }

  paintDot(index: number, color: string): void {
    const colors = this.points?.geometry.getAttribute("color");
    if (!colors) return;
    this.#color.set(color).toArray(colors.array, index * 3);
    colors.needsUpdate = true;
  }

  hide(thing: Thing, isHidden: boolean): void {
    if (thing.isHidden === isHidden) return;
    thing.isHidden = isHidden;
    this.#refinedAt.set(Infinity, 0, 0);
    this.#show(thing);
  }

  /** Choose the forms anew with the next frame. */
  forget(): void {
    this.#refinedAt.set(Infinity, 0, 0);
  }

  #refinedAt = new Vector3(Infinity, 0, 0);

  /** Gives the triangles to what is largest on the screen; whatever the plant, at most `budget` of them. */
  refine(camera: PerspectiveCamera, budget: number): void {
    // A camera that has moved little would give the same answer: most frames of a turn need none.
    if (this.#refinedAt.distanceTo(camera.position) < Math.max(0.4, camera.position.y * 0.08)) return;
    this.#refinedAt.copy(camera.position);
    const scale = 1 / Math.tan((camera.fov * Math.PI) / 360);
    const seen = this.all.filter((thing) => !thing.isHidden).map((thing) => ({ thing, size: (thing.radius * scale) / Math.max(0.1, camera.position.distanceTo(thing.centre)) }));
    let left = budget - seen.reduce((sum, { thing }) => sum + thing.forms.triangles[2], 0);
    let total = 0;
    for (const { thing, size } of seen.sort((a, b) => b.size - a.size)) {
      const { triangles } = thing.forms;
      let detail = size > WHOLE_FROM ? 0 : size > PLAIN_FROM ? 1 : 2;
      while (detail < 2 && triangles[detail as 0 | 1] - triangles[2] > left) detail++;
      left -= triangles[detail as 0 | 1 | 2] - triangles[2];
      total += triangles[detail as 0 | 1 | 2];
      if (detail === thing.detail) continue;
      thing.detail = detail;
      this.#show(thing);
    }
    this.triangles = total;
  }

  #show(thing: Thing): void {
    this.batch.setGeometryIdAt(thing.body, thing.forms.ids[thing.detail as 0 | 1 | 2]);
    this.batch.setVisibleAt(thing.body, !thing.isHidden);
    for (const part of thing.parts) for (let k = 0; k < part.count; k++) this.batch.setVisibleAt(part.first + k, !thing.isHidden && thing.detail === 0);
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

  /** The twin under the pointer: a thing's, or else a sensor's. */
  twinAt(hits: Intersection[]): string | null {
    let dot: string | null = null;
    for (const hit of hits) {
      const thing = hit.batchId === undefined ? undefined : this.#owners[hit.batchId];
      if (thing?.twin) return dot ?? thing.twin;
      if (hit.object === this.points && hit.index !== undefined) dot ??= this.dots[hit.index]?.twin || null;
    }
    return dot;
  }

  setClipping(planes: MeshLambertMaterial["clippingPlanes"]): void {
    this.#material.clippingPlanes = planes;
    if (this.points) this.points.material.clippingPlanes = planes;
  }

  dispose(): void {
    this.batch.dispose();
    this.#material.dispose();
    this.points?.geometry.dispose();
    this.points?.material.dispose();
  }
}

interface Rotor {
  box: Box3;
  at: Vector3;
  radius: number;
}

interface GroupModel {
  key: string;
  objects: SceneObject[];
  model: Model;
  plain: Model;
  box: BufferGeometry;
  instances: number;
  vertices: number;
}

function modelOf(key: string, objects: SceneObject[], scene: Scene, shape?: OwnShape): GroupModel {
  const { kind, parameters } = objects[0]!;
  const own = scene.kinds ? { kinds: scene.kinds } : undefined;
  const model = shape ? { body: shape.whole, parts: [] } : build(kind, parameters, own);
  const plain = shape ? { body: shape.plain, parts: [] } : build(kind, parameters, own, true);
  for (const { body } of [model, plain]) {
    body.computeBoundingBox();
    body.computeBoundingSphere();
  }
  if (plain.body.getAttribute("position").count === 0) plain.body = boxAround(model.body);
  const box = boxAround(model.body);
  const vertices = [model.body, plain.body, box, ...model.parts.map((part) => part.geometry)].reduce((sum, one) => sum + one.getAttribute("position").count, 0);
  return { key, objects, model, plain, box, vertices, instances: objects.length * (1 + model.parts.reduce((sum, part) => sum + copiesOf(part), 0)) };
}

const countOf = (geometry: BufferGeometry): number => geometry.getAttribute("position").count / 3;

function copiesOf({ motion }: Part): number {
  return motion.type === "slide" ? Math.max(1, Math.min(FULL_COPIES, Math.floor((motion.to - motion.from) / motion.spacing))) : 1;
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

function rotorOf({ geometry, motion }: Part): Rotor[] {
  if (motion.type !== "spin") return [];
  return [{ box: geometry.boundingBox!, at: new Vector3(...motion.at), radius: geometry.boundingSphere!.radius }];
}

/** What decides with which shapes an object is drawn. */
function keyOf(object: SceneObject, scene: Scene, own: ReadonlyMap<string, OwnShape>): string {
  const shape = shapeOf(object, scene);
  return shape && own.has(shape) ? `\n${shape}` : `${object.kind}\n${JSON.stringify(object.parameters ?? {})}`;
}

/** Puts a thing where its object says. */
function settle(thing: Thing): void {
  const { at, turn, scale } = thing.object;
  const size = scale && scale > 0 ? scale : 1;
  const turned = new Quaternion().setFromEuler(new Euler(0, ((turn ?? 0) * Math.PI) / 180, 0));
  thing.matrix.compose(new Vector3(...position(at)), turned, new Vector3(size, size, size));
  const box = thing.box.copy(thing.own).applyMatrix4(thing.matrix);
  thing.top.set((box.min.x + box.max.x) / 2, box.max.y, (box.min.z + box.max.z) / 2);
  box.getCenter(thing.centre);
  thing.radius = box.getSize(new Vector3()).length() / 2;
  for (const rotor of thing.rotors) {
    box.union(rotor.box.clone().translate(rotor.at).applyMatrix4(thing.matrix));
    if (thing.object.kind === "wind-turbine") sweep(thing, rotor);
  }
}

/** The whole circle of a rotor belongs to the turbine, wherever its blades stand. */
function sweep(thing: Thing, { at, radius }: Rotor): void {
  const centre = at.clone().applyMatrix4(thing.matrix);
  thing.box.expandByPoint(new Vector3(centre.x - radius * 0.7, centre.y + radius * 0.9, centre.z));
  thing.box.expandByPoint(new Vector3(centre.x + radius * 0.7, centre.y, centre.z));
  thing.top.set(centre.x, centre.y + radius * 0.25, centre.z);
}

export function position(at: number[]): [number, number, number] {
  return at.length > 2 ? [at[0] ?? 0, at[1] ?? 0, at[2] ?? 0] : [at[0] ?? 0, 0, at[1] ?? 0];
}
