/**
 * The plant in a headset or laid on a table through a phone: the same scene, entered on the press of a button.
 * A ray chooses things and stands the person where it meets the floor; nothing moves the eyes by itself.
 */

import { effect } from "@preact/signals";
import { Mesh, MeshBasicMaterial, PerspectiveCamera, Plane, Quaternion, RingGeometry, Vector3, type Group, type Raycaster, type Scene as Stage, type WebGLRenderer } from "three";
import { priorityOfTwin } from "@/core/alarms.ts";
import { tick } from "@/core/clock.ts";
import { rows } from "@/core/plant.ts";
import { tokenColor } from "@/core/theme.ts";
import type { XrMode } from "@/core/xr.ts";
import { plural } from "@/core/words.ts";
import type { Thing, Things } from "../things.ts";
import { Beacons } from "./beacons.ts";
import { Card } from "./card.ts";
import { Hands } from "./hands.ts";
import { Paper } from "./paper.ts";
import { Rig, TABLE } from "./rig.ts";

/** What the view lets the session use. */
export interface Inside {
  renderer: WebGLRenderer;
  stage: Stage;
  things: Things;
  camera: PerspectiveCamera;
  canvas: HTMLCanvasElement;
  /** Triangles that are on no budget: floor, pipes, words. */
  fixed: number;
  showing: (twin: string) => Thing | undefined;
  choose: (twin: string | null) => void;
  /** Moves what moves, and tells what the frame cost. */
  before: (now: number) => void;
  after: () => void;
  /** Things, pipes, zones and their words. */
  showPlant: (isShown: boolean) => void;
  /** Sky, floor and grid: not where the room itself is seen. */
  showSky: (isShown: boolean) => void;
}

/** Both eyes together: each frame is drawn twice. */
const BUDGET = 60_000;
const VIEWS = 2;
const TURN = Math.PI / 6;
const TABLE_HEIGHT = 0.9;
const FLOOR = new Plane(new Vector3(0, 1, 0), 0);
const FARTHEST = 60;

export async function enter(inside: Inside, mode: XrMode): Promise<void> {
  const isAr = mode === "ar";
  const session = await navigator.xr!.requestSession(isAr ? "immersive-ar" : "immersive-vr", {
    requiredFeatures: ["local-floor"],
    optionalFeatures: isAr ? ["hit-test", "hand-tracking"] : ["hand-tracking"],
  });
  const { xr } = inside.renderer;
  xr.enabled = true;
  xr.setReferenceSpaceType("local-floor");
  const shown = new Immersion(inside, session, isAr);
  try {
    await xr.setSession(session);
    // After the renderer's own listener, which sets its clock going again.
    const ended = new Promise<void>((resolve) => session.addEventListener("end", () => resolve()));
    await shown.start();
    await ended;
  } catch (error) {
    await session.end().catch(() => undefined);
    throw error;
  } finally {
    shown.leave();
  }
}

class Immersion {
  #rig: Rig;
  #hands: Hands;
  #beacons: Beacons;
  #panel = new Paper(0.3, 0.24);
  #sheet = new Paper(0.42, 0.36);
  #card = new Card();
  #mark: Mesh<RingGeometry, MeshBasicMaterial>;
  #probe = new PerspectiveCamera(90);
  #hits: XRHitTestSource | null = null;
  #frames = 0;
  /** In AR the plant is not there until it has been put somewhere. */
  #isPlaced: boolean;
  #last = "";
  #kept: { position: Vector3; turn: Quaternion; fov: number };
  #stops: (() => void)[] = [];

  constructor(
    private readonly inside: Inside,
    private readonly session: XRSession,
    private readonly isAr: boolean,
  ) {
    const { camera, stage, renderer } = inside;
    this.#kept = { position: camera.position.clone(), turn: camera.quaternion.clone(), fov: camera.fov };
    this.#rig = new Rig(camera);
    stage.add(this.#rig.group);
    this.#hands = new Hands(renderer, this.#rig.group, {
      press: (ray) => this.#press(ray),
      turn: (direction) => this.#turn(direction),
      wrist: (grip) => this.#wear(grip),
    });
    this.#beacons = new Beacons(stage);
    const ring = new RingGeometry(0.28, 0.36, 24);
    ring.rotateX(-Math.PI / 2);
    this.#mark = new Mesh(ring, new MeshBasicMaterial({ color: tokenColor("accent"), depthTest: false, fog: false }));
    this.#mark.visible = false;
    this.#mark.renderOrder = 2;
    stage.add(this.#mark);
    this.#rig.group.add(this.#panel.mesh, this.#sheet.mesh);
    this.#sheet.mesh.visible = false;
    this.#panel.mesh.visible = false;
    this.#isPlaced = !isAr;
    inside.showPlant(!isAr);
    inside.showSky(!isAr);
  }

  async start(): Promise<void> {
    const { renderer, canvas } = this.inside;
    canvas.dataset["xr"] = this.isAr ? "ar" : "vr";
    if (this.isAr) {
      const viewer = await this.session.requestReferenceSpace("viewer");
      // Without surfaces of the room, the floor has to do.
      this.#hits = (await this.session.requestHitTestSource?.({ space: viewer })?.catch(() => null)) ?? null;
    }
    this.#stops.push(
      effect(() => {
        void [priorityOfTwin.value, rows.value, tick.value];
        this.#write();
      }),
    );
    // Not the renderer's loop, which would draw for the window too.
    renderer.xr.setAnimationLoop((now: number, frame?: XRFrame) => this.#frame(now, frame));
  }

  #frame(now: number, frame?: XRFrame): void {
    const { inside } = this;
    // The first frame tells where the head is; before that nobody can be stood anywhere.
    if (++this.#frames === 2) this.#begin();
    this.#hands.update();
    this.#aim(frame);
    inside.before(now);
    this.#probe.position.copy(this.#rig.head());
    this.#probe.position.y = Math.max(this.#probe.position.y, 0.1);
    inside.things.refine(this.#probe, BUDGET / VIEWS - inside.fixed);
    inside.renderer.render(inside.stage, inside.camera);
    inside.after();
    this.#tell();
    if (this.#frames % 4 === 0) this.#tellPlaces();
  }

  /** Where the session stands, for those who look from outside. */
  #tell(): void {
    const { x, z } = this.#rig.head();
    Object.assign(this.inside.canvas.dataset, { xrFrames: String(this.#frames), xrScale: String(this.#rig.scale), xrAt: `${x.toFixed(2)},${z.toFixed(2)}`, xrTurn: this.#rig.group.rotation.y.toFixed(3), xrChosen: this.#card.twin, xrPlaced: String(this.#isPlaced), xrLast: this.#last });
  }

  /** Where the panel's buttons and the first thing are about the person, in metres: told now and then. */
  #tellPlaces(): void {
    const { group } = this.#rig;
    const [turn, first] = [group.quaternion.clone().invert(), this.inside.things.byTwin.values().next().value];
    const text = (...all: Vector3[]): string => all.flatMap((one) => one.toArray().map((value) => value.toFixed(3))).join(",");
    const panel = this.#panel.places().flatMap(([at, way]) => [group.worldToLocal(at), way.clone().applyQuaternion(turn)]);
    Object.assign(this.inside.canvas.dataset, { xrPanel: text(...panel), xrThing: first ? text(group.worldToLocal(first.centre.clone())) : "" });
  }

  #begin(): void {
    if (this.isAr) return this.#unworn();
    const { bounds } = this.inside.things;
    const centre = bounds.getCenter(new Vector3());
    this.#rig.enter(new Vector3(centre.x, 0, bounds.max.z + 3), centre);
    this.#unworn();
    this.#write();
  }

  /** The plant as a model before the person, or life size where they looked. */
  #resize = (): void => {
    const { bounds } = this.inside.things;
    const centre = bounds.getCenter(new Vector3()).setY(0);
    if (this.#rig.scale === 1) {
      const depth = (bounds.max.z - bounds.min.z) / 2 / TABLE;
      const eye = this.inside.camera.position;
      this.#rig.lay(TABLE, centre, new Vector3(eye.x, TABLE_HEIGHT, eye.z - 0.5 - depth));
    } else this.#rig.enter(new Vector3(centre.x, 0, bounds.max.z + 3), centre);
    this.inside.things.forget();
    this.#write();
  };

  #turn(direction: number): void {
    this.#rig.turn(direction * TURN);
  }

  #press(ray: Raycaster): void {
    for (const paper of [this.#panel, this.#sheet]) {
      const hit = paper.mesh.visible ? ray.intersectObject(paper.mesh)[0] : undefined;
      if (!hit) continue;
      const pressed = paper.press(hit);
      if (pressed) this.#last = pressed;
      return;
    }
    if (!this.#isPlaced) return this.#lay();
    ray.params.Points.threshold = 0.25;
    const hits = ray.intersectObjects(this.inside.things.group.children, false);
    const twin = this.inside.things.twinAt(hits);
    const floor = this.#floorAt(ray);
    this.#last = twin ? "a thing" : "the floor";
    if (twin) this.#choose(twin, hits[0]!.point);
    else if (floor && this.#rig.scale === 1 && !this.isAr) this.#rig.standOn(floor);
  }

  #choose(twin: string, near: Vector3): void {
    this.#card.choose(twin);
    this.inside.choose(twin);
    this.#showSheet(near);
    this.#write();
  }

  /** At arm's length towards the thing, a little aside of it, and facing the person. */
  #showSheet(near: Vector3): void {
    const group = this.#rig.group;
    const eye = this.inside.camera.position.clone();
    const way = group.worldToLocal(near.clone()).sub(eye).normalize();
    const aside = new Vector3(-way.z, 0, way.x).normalize().multiplyScalar(0.3);
    const { mesh } = this.#sheet;
    mesh.position.copy(eye).addScaledVector(way, 0.85).add(aside);
    mesh.position.y = Math.max(0.7, mesh.position.y);
    const world = group.localToWorld(eye.clone());
    mesh.visible = true;
    group.updateMatrixWorld(true);
    mesh.lookAt(world);
  }

  #next = (): void => {
    const ranked = this.#abnormal();
    if (!ranked.length) return;
    const at = ranked.findIndex(([thing]) => thing.twin === this.#card.twin);
    const [thing] = ranked[(at + 1) % ranked.length]!;
    if (this.#rig.scale === 1 && !this.isAr) {
      const away = this.#rig.head().clone().sub(thing.centre).setY(0);
      if (away.lengthSq() < 0.01) away.set(0, 0, 1);
      this.#rig.standOn(thing.centre.clone().setY(0).addScaledVector(away.normalize(), thing.radius + 2));
    }
    this.#choose(thing.twin, thing.top);
  };

  #abnormal(): (readonly [Thing, number])[] {
    const found = new Map<Thing, number>();
    for (const [twin, priority] of priorityOfTwin.value) {
      const thing = this.inside.showing(twin);
      if (thing && !thing.isHidden) found.set(thing, Math.min(found.get(thing) ?? 9, priority));
    }
    return [...found].sort((a, b) => a[1] - b[1] || a[0].twin.localeCompare(b[0].twin));
  }

  #write(): void {
    const abnormal = this.#abnormal();
    this.#beacons.show(abnormal, this.#rig.scale);
    this.#beacons.mesh.visible = this.#isPlaced;
    const place = this.isAr ? [{ words: "Place again", act: this.#lift }] : [{ words: this.#rig.scale === 1 ? "As a model 1:50" : "Life size 1:1", act: this.#resize }];
    const ends = [{ words: "Leave", act: () => void this.session.end() }];
    const lines = [
      { words: abnormal.length ? `${plural(abnormal.length, "thing is", "things are")} abnormal` : "Nothing is abnormal", isLarge: true },
      { words: this.#isPlaced ? "Point and press: a thing, or the floor" : "Point at a table or the floor and press", color: "fg2" },
    ];
    this.#panel.write("Plant", lines, [...place, ...(abnormal.length ? [{ words: "Next abnormal", act: this.#next }] : []), ...ends]);
    if (this.#card.twin) this.#sheet.write(this.#card.title(), this.#card.lines(), [{ words: "Close", act: () => void (this.#sheet.mesh.visible = false) }]);
  }

  #wear(grip: Group | null): void {
    const { mesh } = this.#panel;
    if (!grip) return this.#unworn();
    grip.add(mesh);
    mesh.position.set(0, 0.14, 0.02);
    mesh.rotation.set(-0.8, 0, 0);
    mesh.visible = true;
  }

  /** Without a left hand the panel stands beside the person. */
  #unworn(): void {
    const { mesh } = this.#panel;
    if (mesh.parent && mesh.parent !== this.#rig.group) {
      if (mesh.visible) return;
    }
    this.#rig.group.add(mesh);
    const eye = this.inside.camera.position;
    mesh.position.set(eye.x - 0.45, Math.max(0.8, eye.y - 0.35), eye.z - 0.7);
    mesh.rotation.set(-0.3, 0.5, 0);
    mesh.visible = true;
  }

  #floorAt(ray: Raycaster): Vector3 | null {
    const point = ray.ray.intersectPlane(FLOOR, new Vector3());
    return point && point.distanceTo(ray.ray.origin) < FARTHEST ? point : null;
  }

  /** Marks where a press would stand the person, or lay the plant. */
  #aim(frame?: XRFrame): void {
    if (this.isAr) return this.#aimAtRoom(frame);
    const point = this.#rig.scale === 1 ? this.#hands.pointing().map((ray) => this.#floorAt(ray)).find((one) => one !== null) : null;
    this.#mark.visible = Boolean(point);
    if (point) this.#mark.position.copy(point).setY(0.03);
  }

  #aimAtRoom(frame?: XRFrame): void {
    this.#mark.visible = !this.#isPlaced;
    if (this.#isPlaced) return;
    const room = this.inside.renderer.xr.getReferenceSpace();
    const hit = frame && room && this.#hits ? frame.getHitTestResults(this.#hits)[0]?.getPose(room) : undefined;
    const { group } = this.#rig;
    if (hit) this.#spot.set(hit.transform.position.x, hit.transform.position.y, hit.transform.position.z);
    else this.#spot.set(0, 0, -1.2).applyQuaternion(this.inside.camera.quaternion).add(this.inside.camera.position).setY(0);
    this.#mark.position.copy(group.localToWorld(this.#spot.clone()));
    this.#mark.scale.setScalar(this.#rig.scale * 0.4);
  }

  readonly #spot = new Vector3(0, 0, -1.2);

  #lay(): void {
    const centre = this.inside.things.bounds.getCenter(new Vector3()).setY(0);
    this.#rig.lay(TABLE, centre, this.#spot);
    this.#isPlaced = true;
    this.inside.showPlant(true);
    this.inside.things.forget();
    this.#write();
  }

  #lift = (): void => {
    this.#isPlaced = false;
    this.inside.showPlant(false);
    this.#sheet.mesh.visible = false;
    this.#write();
  };

  leave(): void {
    const { renderer, camera, stage, things, canvas, showPlant, showSky } = this.inside;
    renderer.xr.setAnimationLoop(null);
    renderer.setAnimationLoop(null);
    renderer.xr.enabled = false;
    this.#hits?.cancel();
    for (const stop of this.#stops) stop();
    this.#hands.dispose();
    this.#panel.dispose();
    this.#sheet.dispose();
    this.#beacons.dispose();
    this.#mark.removeFromParent();
    this.#mark.geometry.dispose();
    this.#mark.material.dispose();
    this.#rig.group.remove(camera);
    stage.remove(this.#rig.group);
    showPlant(true);
    things.forget();
    showSky(true);
    camera.position.copy(this.#kept.position);
    camera.quaternion.copy(this.#kept.turn);
    camera.fov = this.#kept.fov;
    camera.scale.setScalar(1);
    camera.updateProjectionMatrix();
    for (const name of Object.keys(canvas.dataset)) if (name.startsWith("xr")) delete canvas.dataset[name];
  }
}
