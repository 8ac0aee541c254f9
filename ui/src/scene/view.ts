/** The 3D view of the plant: draws only when something changed. */

import { effect, type Signal } from "@preact/signals";
import { Color, Fog, PCFShadowMap, Plane, Raycaster, Scene as Stage, Vector2, Vector3, WebGLRenderer } from "three";
import { openAlarms, priorityOfTwin } from "@/core/alarms.ts";
import { tick } from "@/core/clock.ts";
import { rows } from "@/core/plant.ts";
import { tokenColor } from "@/core/theme.ts";
import type { Scene } from "@/core/types.ts";
import type { XrMode } from "@/core/xr.ts";
import { peek } from "@/live/client.ts";
import { CameraDriver } from "./camera.ts";
import { levelOf, speedOf } from "./drive.ts";
import { Ghost } from "./ghost.ts";
import { Ground } from "./ground.ts";
import { labelled } from "./labelled.ts";
import { Labels } from "./labels.ts";
import { Light } from "./light.ts";
import { ALARM_LOOK, painter, type Layer, type Look } from "./look.ts";
import { NO_SHAPES, loadShapes, type OwnShapes } from "./own.ts";
import { Pace, isSoftwareRenderer } from "./pace.ts";
import { Ruler } from "./ruler.ts";
import { Things, type Thing } from "./things.ts";

const STALE_AFTER = 30;
/** Above this many things the baked shade under each has to do: a shadow map would draw all of them twice. */
const MOST_SHADOWS = 300;
const BUDGET = 150_000;
const PHONE_BUDGET = 60_000;
/** A plant smaller than this (m) is seen with its surroundings: one machine does not fill the window. */
const LEAST_REACH = 14;
/** A value's colour may wait this long (ms). */
const REPAINT_EVERY = 1000;

export interface PlantView {
  /** What is not drawn as the scene asks, in words. */
  readonly problems: readonly string[];
  select: (twin: string) => void;
  /** Shows another scene in the same window: the camera, and all that did not change, stay. */
  setScene: (scene: Scene) => Promise<void>;
  recolor: () => void;
  setLook: (look: Look) => void;
  /** Hatched shells about twins, by colour. */
  setGhost: (shells: ReadonlyMap<string, string>) => void;
  home: () => void;
  focus: () => void;
  zoom: (factor: number) => void;
  next: (step: number) => void;
  key: (event: KeyboardEvent) => boolean;
  eye: () => number[];
  lookFrom: (eye: number[], isInstant?: boolean) => void;
  measure: (isOn: boolean) => void;
  /** In a headset or through a phone, until the person leaves. */
  enterXr: (mode: XrMode) => Promise<void>;
  toUsdz: () => Promise<Blob>;
  dispose: () => void;
}

export interface ViewOptions {
  own?: OwnShapes;
  choose: (twin: string | null) => void;
  isMoving: Signal<boolean>;
  look?: Look;
  /** Hears where the camera stands after it has moved: position and target. */
  moved?: (eye: number[]) => void;
  measured?: (words: string) => void;
  /** What lies over the picture at its right, in pixels: labels keep clear of it. */
  covered?: number;
}

/** Shows it once the shapes are there; null if it is not wanted any more by then. */
export async function showPlant(home: HTMLElement, scene: Scene, options: ViewOptions, isGone: () => boolean): Promise<PlantView | null> {
  const own = scene.geometries ? await loadShapes(scene) : NO_SHAPES;
  return isGone() ? null : new View(home, scene, { ...options, own });
}

class View implements PlantView {
  #canvas = document.createElement("canvas");
  #renderer: WebGLRenderer;
  #stage = new Stage();
  #things: Things;
  #ground: Ground;
  #labels: Labels;
  #driver: CameraDriver;
  #ruler: Ruler;
  #ghost = new Ghost();
  #light = new Light();
  #pace: Pace;
  #look: Look;
  #selected = "";
  #lastFrame = 0;
  #stops: (() => void)[] = [];
  #frames = 0;
  #hasMoved = false;
  #eyeTold = "";
  #painted = 0;
  #shells: ReadonlyMap<string, string> = new Map();
  #own: OwnShapes;
  /** The latest scene that was asked for; null once the view is gone. */
  #asked: Scene | null;
  #budget = matchMedia("(pointer: coarse)").matches ? PHONE_BUDGET : BUDGET;

  constructor(
    private readonly home_: HTMLElement,
    private scene: Scene,
    private readonly options: ViewOptions,
  ) {
    this.#look = options.look ?? ALARM_LOOK;
    this.#own = options.own ?? NO_SHAPES;
    this.#asked = scene;
    this.#canvas.className = "plant-canvas";
    this.#canvas.tabIndex = 0;
    this.#canvas.setAttribute("role", "application");
    this.#canvas.setAttribute("aria-label", "Plant in 3D. Arrow keys turn, plus and minus zoom, n and p go through abnormal twins, f and h frame. The outline lists the same things.");
    home_.append(this.#canvas);
    const isSoftware = isSoftwareRenderer();
    const isSmooth = !isSoftware || new URLSearchParams(location.search).get("quality") === "high";
    this.#renderer = new WebGLRenderer({ canvas: this.#canvas, antialias: isSmooth, powerPreference: "low-power" });
    this.#renderer.setPixelRatio(Math.min(devicePixelRatio, isSoftware ? 1 : 2));
    this.#pace = new Pace(this.#renderer, isSoftware, (now) => this.#render(now));
    this.#renderer.localClippingEnabled = true;
    this.#things = new Things(scene, this.#own.shapes);
    this.#renderer.shadowMap.enabled = this.#things.all.length <= MOST_SHADOWS && this.#budget === BUDGET;
    this.#renderer.shadowMap.type = PCFShadowMap;
    this.#renderer.shadowMap.autoUpdate = false;
    this.#ground = new Ground(scene, this.#things);
    this.#labels = new Labels(home_, options.choose);
    this.#driver = new CameraDriver(this.#canvas, () => this.draw());
    this.#ruler = new Ruler((words) => options.measured?.(words));
    this.#stage.add(this.#things.group, this.#ground.group, this.#ruler.group, ...this.#light.parts);
    this.#illuminate();
    this.#resize();
    this.#goHome(true);
    this.#listen();
    this.recolor();
    this.setLook(this.#look);
    this.#driver.controls.addEventListener("start", () => (this.#hasMoved = true));
    document.documentElement.dataset["scene"] = "ready";
  }

  get problems(): readonly string[] {
    return this.#own.problems;
  }

  setScene = async (scene: Scene): Promise<void> => {
    this.#asked = scene;
    const own = scene.geometries ? await loadShapes(scene) : NO_SHAPES;
    if (this.#asked === scene && !this.#pace.isHeld) this.#show(scene, own);
  };

  #show(scene: Scene, own: OwnShapes): void {
    const isSame = (["kinds", "geometries"] as const).every((name) => JSON.stringify(scene[name]) === JSON.stringify(this.scene[name])) && own.shapes.size === this.#own.shapes.size;
    [this.scene, this.#own] = [scene, own];
    const before = this.#things.bounds.clone();
    const isKept = isSame && this.#things.follow(scene, own.shapes);
    if (!isKept) this.#replace(new Things(scene, own.shapes));
    this.#canvas.dataset[isKept ? "followed" : "replaced"] = String(this.#things.all.length);
    this.#stage.remove(this.#ground.group);
    this.#ground.dispose();
    this.#ground = new Ground(scene, this.#things);
    this.#stage.add(this.#ground.group);
    this.#illuminate();
    this.recolor();
    this.setLook(this.#look);
    this.setGhost(this.#shells);
    this.select(this.#selected);
    if (!this.#hasMoved && !before.equals(this.#things.bounds)) this.#goHome(true);
    this.#drive();
  }

  #replace(next: Things): void {
    next.inherit(this.#things);
    this.#stage.remove(this.#things.group);
    this.#things.dispose();
    this.#things = next;
    this.#stage.add(next.group);
    this.#renderer.shadowMap.enabled = next.all.length <= MOST_SHADOWS && this.#budget === BUDGET;
  }

  select = (twin: string): void => {
    this.#selected = twin;
    this.#ground.mark(this.#showing(twin)?.box ?? null);
    this.#label();
  };

  home = (): void => this.#goHome(false);

  focus = (): void => {
    const thing = this.#showing(this.#selected);
    if (!thing) return;
    this.#hasMoved = true;
    this.#driver.focus(thing.box);
  };

  zoom = (factor: number): void => this.#driver.zoom(factor);

  eye = (): number[] => this.#driver.eye();

  lookFrom = (eye: number[], isInstant = false): void => {
    if (eye.length !== 6 || !eye.every(Number.isFinite)) return;
    this.#hasMoved = true;
    this.#driver.fly(new Vector3(eye[0], eye[1], eye[2]), new Vector3(eye[3], eye[4], eye[5]), isInstant);
  };

  measure = (isOn: boolean): void => {
    this.#ruler.use(isOn);
    this.home_.classList.toggle("measuring", isOn);
    this.draw();
  };

  /** Goes to the next abnormal thing, most urgent first. */
  next = (step: number): void => {
    const abnormal = [...priorityOfTwin.value.entries()].filter(([twin]) => this.#showing(twin)).sort((a, b) => a[1] - b[1] || a[0].localeCompare(b[0]));
    if (!abnormal.length) return;
    const at = abnormal.findIndex(([twin]) => twin === this.#selected);
    const [twin] = abnormal[at < 0 ? 0 : (at + step + abnormal.length) % abnormal.length]!;
    this.options.choose(twin);
    this.#hasMoved = true;
    this.#driver.focus(this.#showing(twin)!.box);
  };

  recolor = (): void => {
    const floor = new Color(tokenColor("sky3d"));
    this.#stage.background = floor;
    const reach = this.#things.bounds.getSize(new Vector3()).length();
    this.#stage.fog = new Fog(floor, reach * 1.6, reach * 5 + 60);
    const isDark = floor.getHSL({ h: 0, s: 0, l: 0 }).l < 0.4;
    this.#light.suit(isDark);
    this.#ground.recolor();
    this.#paint();
  };

  setLook = (look: Look): void => {
    this.#look = look;
    for (const thing of this.#things.all) this.#things.hide(thing, look.hidden.has(layerOf(thing)));
    if (this.#things.points) this.#things.points.visible = !look.hidden.has("sensors");
    this.#ground.show(!look.hidden.has("pipes"), !look.hidden.has("zones"));
    const planes = look.section ? this.#planes(look.section) : null;
    this.#things.setClipping(planes);
    this.#ground.setClipping(planes);
    this.#renderer.shadowMap.needsUpdate = true;
    this.#paint();
  };

  setGhost = (shells: ReadonlyMap<string, string>): void => {
    this.#shells = shells;
    const about = new Map<Thing, string>();
    for (const [twin, color] of shells) {
      const thing = this.#showing(twin);
      if (thing && !thing.isHidden && (thing.twin === twin || !about.has(thing))) about.set(thing, color);
    }
    const mesh = this.#ghost.show([...about].map(([thing, color]) => ({ box: thing.box, color })));
    if (mesh) this.#stage.add(mesh);
    this.#canvas.dataset["ghosts"] = String(about.size);
    this.draw();
  };

  enterXr = async (mode: XrMode): Promise<void> => {
    const { enter } = await import("./xr/session.ts");
    this.#pace.stop();
    this.#pace.isHeld = true;
    this.#driver.controls.enabled = false;
    const sky = this.#stage.background;
    const fog = this.#stage.fog;
    const showPlant = (isShown: boolean): void => {
      this.#things.group.visible = this.#ground.group.visible = isShown;
    };
    const showSky = (isShown: boolean): void => {
      this.#stage.background = isShown ? sky : null;
      this.#stage.fog = isShown ? fog : null;
      this.#ground.showFloor(isShown);
    };
    try {
      await enter({ renderer: this.#renderer, stage: this.#stage, things: this.#things, camera: this.#driver.camera, canvas: this.#canvas, fixed: this.#ground.triangles + 200, showing: (twin) => this.#showing(twin), choose: this.options.choose, before: (now) => this.#move(now), after: () => this.#tell(), showPlant, showSky }, mode);
    } finally {
      this.#pace.isHeld = false;
      this.#driver.controls.enabled = true;
      this.#resize();
      this.recolor();
      if (this.#asked && this.#asked !== this.scene) void this.setScene(this.#asked);
    }
  };

  toUsdz = async (): Promise<Blob> => (await import("./xr/usdz.ts")).usdzOf(this.#things);

  dispose = (): void => {
    this.#asked = null;
    void this.#renderer.xr.getSession()?.end();
    this.#pace.stop();
    for (const stop of this.#stops) stop();
    this.#labels.dispose();
    this.#driver.dispose();
    this.#things.dispose();
    this.#ground.dispose();
    this.#ruler.dispose();
    this.#ghost.dispose();
    this.#renderer.dispose();
    this.#renderer.forceContextLoss();
    this.#canvas.remove();
  };

  /** Asks for one frame. */
  draw(): void {
    this.#pace.draw();
  }

  #planes(section: number[]): Plane[] {
    const { min, max } = this.#things.bounds;
    return (["x", "y", "z"] as const).flatMap((axis, i) => {
      const [low, size] = [min[axis], max[axis] - min[axis]];
      const direction = new Vector3().setComponent(i, 1);
      const [from, to] = [section[i * 2] ?? 0, section[i * 2 + 1] ?? 1];
      const found: Plane[] = [];
      if (from > 0) found.push(new Plane(direction.clone(), -(low + size * from)));
      if (to < 1) found.push(new Plane(direction.clone().negate(), low + size * to));
      return found;
    });
  }

  #goHome(isInstant: boolean): void {
    const { camera } = this.scene;
    const [p, t] = [camera?.position ?? [], camera?.target ?? [0, 0, 0]];
    const direction = p.length === 3 ? new Vector3(p[0]! - (t[0] ?? 0), p[1]! - (t[1] ?? 0), p[2]! - (t[2] ?? 0)) : new Vector3(0.62, 0.62, 0.9);
    if (direction.lengthSq() < 1e-6 || direction.y <= 0) direction.set(0.62, 0.62, 0.9);
    this.#hasMoved = false;
    const boxes = this.#things.all.length <= MOST_SHADOWS && this.#things.all.length ? this.#things.all.map((thing) => thing.box) : [this.#things.bounds];
    const reach = this.#things.bounds.getSize(new Vector3()).length();
    this.#driver.fit(reach < LEAST_REACH ? [this.#things.bounds.clone().expandByScalar((LEAST_REACH - reach) / 4)] : boxes, direction, isInstant);
  }

  #illuminate(): void {
    this.#light.reach(this.#things.bounds, this.#renderer.shadowMap.enabled);
    this.#renderer.shadowMap.needsUpdate = true;
  }

  #listen(): void {
    const canvas = this.#canvas;
    let pressed = [0, 0];
    canvas.addEventListener("pointerdown", (event) => (pressed = [event.clientX, event.clientY]));
    canvas.addEventListener("pointerup", (event) => {
      if (Math.hypot(event.clientX - pressed[0]!, event.clientY - pressed[1]!) < 5) this.#pick(event);
    });
    canvas.addEventListener("dblclick", () => this.focus());
    canvas.addEventListener("keydown", (event) => {
      if (!this.key(event)) return;
      event.preventDefault();
      event.stopPropagation();
    });
    canvas.addEventListener("webglcontextlost", (event) => event.preventDefault());
    canvas.addEventListener("webglcontextrestored", () => {
      this.#renderer.shadowMap.needsUpdate = true;
      this.draw();
    });
    const resize = new ResizeObserver(() => {
      this.#resize();
      if (!this.#hasMoved) this.#goHome(true);
    });
    resize.observe(this.home_);
    this.#stops.push(
      () => resize.disconnect(),
      effect(() => {
        void [openAlarms.value, rows.value];
        this.#paint();
      }),
      effect(() => {
        void [tick.value, this.options.isMoving.value];
        this.#drive();
      }),
    );
  }

  /** One of the view's keys; returns whether it was used. */
  key = (event: KeyboardEvent): boolean => {
    if (event.ctrlKey || event.metaKey || event.altKey) return false;
    const isUsed =
      event.key === "h" ? (this.home(), true)
      : event.key === "f" && this.#showing(this.#selected) ? (this.focus(), true)
      : event.key === "n" ? (this.next(1), true)
      : event.key === "p" ? (this.next(-1), true)
      : this.#driver.key(event.key);
    if (isUsed) this.#hasMoved = event.key !== "h";
    return isUsed;
  };

  #pick(event: PointerEvent): void {
    const box = this.#canvas.getBoundingClientRect();
    const point = new Vector2(((event.clientX - box.left) / box.width) * 2 - 1, 1 - ((event.clientY - box.top) / box.height) * 2);
    const ray = new Raycaster();
    ray.params.Points.threshold = 0.25;
    ray.setFromCamera(point, this.#driver.camera);
    const hits = ray.intersectObjects(this.#things.group.children, false);
    if (this.#ruler.isOn) {
      this.#ruler.add(hits[0]?.point ?? ray.ray.intersectPlane(new Plane(new Vector3(0, 1, 0), 0), new Vector3()));
      this.draw();
      return;
    }
    this.options.choose(this.#things.twinAt(hits));
  }

  #resize(): void {
    const [width, height] = [this.home_.clientWidth, this.home_.clientHeight];
    if (!width || !height || this.#pace.isHeld) return;
    this.#renderer.setSize(width, height, false);
    this.#driver.resize(width, height);
    this.draw();
  }

  #paint(): void {
    this.#painted = performance.now();
    const fade = new Color(tokenColor("sky3d"));
    const twins = [...this.#things.byTwin.keys()];
    const paint = painter(this.#look, this.#priorities(), this.#things.dots.length ? [...twins, ...this.#things.dots.map((dot) => dot.twin)] : twins);
    for (const thing of this.#things.all) {
      const { color, isFaded } = paint(thing.twin);
      this.#things.paint(thing, color, isFaded ? fade : null);
    }
    this.#things.dots.forEach((dot, i) => this.#things.paintDot(i, paint(dot.twin).color));
    this.#label();
  }

  #showing(twin: string): Thing | undefined {
    return twin ? this.#things.showing(twin, (one) => rows.value.get(one)?.parent) : undefined;
  }

  /** A part without a place of its own colours the thing that contains it. */
  #priorities(): Map<string, number> {
    const found = new Map<string, number>();
    for (const [twin, priority] of priorityOfTwin.value) {
      const shown = this.#showing(twin)?.twin;
      if (shown !== undefined) found.set(shown, Math.min(found.get(shown) ?? 9, priority));
    }
    return found;
  }

  #label(): void {
    this.#name();
    this.draw();
  }

  /** The words of the labels; they move with the next picture. */
  #name(): void {
    this.#labels.set(this.#look.hidden.has("labels") ? [] : labelled((twin) => this.#showing(twin), this.#selected, this.#look.by));
  }

  /** Once a second: what moves, and how fast; a value that grew old stops its part. */
  #drive(): void {
    const now = tick.peek();
    let isChanged = false;
    for (const thing of this.#things.all) {
      const { motion, level } = thing.object;
      if (motion) {
        const speed = speedOf(motion, peek(motion.twin ?? thing.twin, motion.property), now, STALE_AFTER);
        thing.speed = this.options.isMoving.value ? speed : 0;
      }
      if (level) {
        const next = levelOf(level, peek(level.twin ?? thing.twin, level.property));
        if (Math.abs(next - thing.level) > 0.004) {
          thing.level = next;
          this.#things.pose(thing);
          isChanged = true;
        }
      }
    }
    if (this.#look.by !== "alarm" && this.#look.by !== "state" && performance.now() - this.#painted > REPAINT_EVERY * 0.9) this.#paint();
    this.#name();
    if (isChanged) this.draw();
    if (!this.#pace.isDue && this.#isAnyMoving()) this.draw();
  }

  #isAnyMoving(): boolean {
    return !document.hidden && this.#things.all.some((thing) => thing.speed !== 0);
  }

  #render(now: number): void {
    const start = performance.now();
    const isFlying = this.#driver.advance(now);
    const isMoving = this.#move(now);
    this.#things.refine(this.#driver.camera, this.#budget - this.#ground.triangles);
    this.#renderer.render(this.#stage, this.#driver.camera);
    this.#labels.layout(this.#driver.camera, this.home_.clientWidth, this.home_.clientHeight, this.options.covered);
    this.#pace.cost = performance.now() - start;
    this.#tell();
    if (isFlying) this.draw();
    else if (isMoving) this.#pace.goOn(start);
    if (!isFlying) this.#tellEye();
  }

  #move(now: number): boolean {
    const isMoving = this.#isAnyMoving();
    if (isMoving) this.#advance(Math.min(0.25, (now - this.#lastFrame) / 1000));
    this.#lastFrame = now;
    return isMoving;
  }

  /** What a frame cost, for those who measure: on the canvas itself. */
  #tell(): void {
    const { calls, triangles } = this.#renderer.info.render;
    Object.assign(this.#canvas.dataset, { frames: String(++this.#frames), calls: String(calls), triangles: String(triangles), cost: this.#pace.cost.toFixed(2) });
  }

  #tellEye(): void {
    const eye = this.#hasMoved ? this.#driver.eye() : [];
    const text = eye.join(",");
    if (text === this.#eyeTold) return;
    this.#eyeTold = text;
    this.options.moved?.(eye);
  }

  #advance(seconds: number): void {
    for (const thing of this.#things.all) {
      if (thing.speed === 0) continue;
      thing.phase += seconds * thing.speed;
      if (thing.phase < 0) thing.phase += 3600;
      if (thing.detail === 0) this.#things.pose(thing);
    }
  }
}

function layerOf({ object, twin }: Thing): Layer {
  if (object.kind === "building" || object.kind === "room") return "buildings";
  if (object.kind === "sensor") return "sensors";
  return twin ? "machines" : "scenery";
}

export type { Thing };
