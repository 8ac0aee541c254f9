/** What things stand on: floor, grid, painted zones with their names, and pipes. */

import {
  BufferGeometry,
  CanvasTexture,
  CatmullRomCurve3,
  Color,
  Float32BufferAttribute,
  GridHelper,
  Group,
  LineBasicMaterial,
  LineLoop,
  LineSegments,
  Mesh,
  MeshBasicMaterial,
  MeshLambertMaterial,
  PlaneGeometry,
  QuadraticBezierCurve3,
  CurvePath,
  LineCurve3,
  ShadowMaterial,
  TubeGeometry,
  Vector3,
  InstancedMesh,
  Matrix4,
  type Box3,
  type Plane,
} from "three";
import { mergeGeometries } from "three/addons/utils/BufferGeometryUtils.js";
import { tokenColor } from "@/core/theme.ts";
import type { Scene } from "@/core/types.ts";
import type { Things } from "./things.ts";

/** Words on the floor share one texture: so many rows. */
const ROWS = 32;

export class Ground {
  readonly group = new Group();
  /** What stands on no budget of its own: patches, pipes and words. */
  triangles = 4;
  #floor: Mesh<PlaneGeometry, MeshBasicMaterial>;
  #shadow: Mesh<PlaneGeometry, ShadowMaterial>;
  #lines = new LineBasicMaterial();
  #words: { text: string; plane: PlaneGeometry }[] = [];
  #wordsMesh: Mesh<BufferGeometry, MeshBasicMaterial> | null = null;
  #zones = new Group();
  #pipes = new MeshLambertMaterial();
  #pipesMesh: Mesh | null = null;
  #contact = new MeshBasicMaterial({ color: 0x000000, transparent: true, depthWrite: false });
  #grid: GridHelper;
  #ring: LineLoop;
  #ringMaterial = new LineBasicMaterial({ depthTest: false });
  #disposables: { dispose: () => void }[] = [];

  constructor(scene: Scene, things: Things) {
    const { bounds } = things;
    const size = bounds.getSize(new Vector3());
    const centre = bounds.getCenter(new Vector3());
    const extent = Math.max(40, size.x, size.z) * 8;
    this.#floor = new Mesh(new PlaneGeometry(extent, extent), new MeshBasicMaterial());
    this.#shadow = new Mesh(new PlaneGeometry(Math.max(40, size.x) * 2, Math.max(40, size.z) * 2), new ShadowMaterial({ opacity: 0.22 }));
    for (const [mesh, y] of [[this.#floor, -0.03], [this.#shadow, 0]] as const) {
      mesh.rotation.x = -Math.PI / 2;
      mesh.position.set(centre.x, y, centre.z);
    }
    this.#shadow.receiveShadow = true;
    const cells = Math.round(extent / 8);
    this.#grid = new GridHelper(cells * 4, cells);
    this.#grid.position.set(Math.round(centre.x / 4) * 4, -0.02, Math.round(centre.z / 4) * 4);
    this.#ring = new LineLoop(new BufferGeometry(), this.#ringMaterial);
    this.#ring.visible = false;
    this.#ring.renderOrder = 2;
    this.group.add(this.#floor, this.#grid, this.#shadow, this.#ring, this.#zones);
    this.#addZones(scene);
    this.#addPipes(scene);
    this.#addContacts(things);
    this.recolor();
  }

  /** Draws a frame on the floor around the chosen thing. */
  mark(box: Box3 | null): void {
    this.#ring.visible = box !== null;
    if (!box) return;
    const room = 0.35;
    const [x0, x1, z0, z1, y] = [box.min.x - room, box.max.x + room, box.min.z - room, box.max.z + room, Math.max(0.04, box.min.y + 0.04)];
    this.#ring.geometry.setAttribute("position", new Float32BufferAttribute([x0, y, z0, x1, y, z0, x1, y, z1, x0, y, z1], 3));
    this.#ring.geometry.computeBoundingSphere();
  }

  recolor(): void {
    const floor = new Color(tokenColor("sky3d"));
    const line = new Color(tokenColor("line2"));
    this.#floor.material.color.copy(floor);
    this.#lines.color.copy(line);
    this.#pipes.color.set(tokenColor("pipe3d"));
    this.#ringMaterial.color.set(tokenColor("accent"));
    const faint = floor.clone().lerp(line, 0.16);
    const colors = this.#grid.geometry.getAttribute("color");
    for (let i = 0; i < colors.count; i++) colors.setXYZ(i, faint.r, faint.g, faint.b);
    colors.needsUpdate = true;
    this.#contact.opacity = floor.getHSL({ h: 0, s: 0, l: 0 }).l < 0.4 ? 0.55 : 0.3;
    if (!this.#wordsMesh) return;
    this.#wordsMesh.material.map?.dispose();
    this.#wordsMesh.material.map = writeWords(this.#words.map((one) => one.text), tokenColor("fg3"));
    this.#wordsMesh.material.needsUpdate = true;
  }

  /** The floor, which hides the room in AR. */
  showFloor(isShown: boolean): void {
    for (const one of [this.#floor, this.#grid, this.#shadow]) one.visible = isShown;
  }

  show(hasPipes: boolean, hasZones: boolean): void {
    if (this.#pipesMesh) this.#pipesMesh.visible = hasPipes;
    this.#zones.visible = hasZones;
  }

  setClipping(planes: Plane[] | null): void {
    this.#pipes.clippingPlanes = planes;
    this.#contact.clippingPlanes = planes;
  }

  /** A soft dark patch below each thing, baked once: what a shadow map would show for less. */
  #addContacts(things: Things): void {
    const standing = things.all.filter((thing) => thing.box.min.y < 0.6);
    if (!standing.length) return;
    const plane = new PlaneGeometry(1, 1);
    plane.rotateX(-Math.PI / 2);
    this.#contact.map = softPatch();
    const mesh = new InstancedMesh(plane, this.#contact, standing.length);
    const size = new Vector3();
    standing.forEach(({ box, centre }, i) => {
      box.getSize(size);
      mesh.setMatrixAt(i, new Matrix4().makeScale(size.x * 1.35 + 0.3, 1, size.z * 1.35 + 0.3).setPosition(centre.x, 0.004, centre.z));
    });
    mesh.frustumCulled = false;
    this.triangles += standing.length * 2;
    this.group.add(mesh);
    this.#disposables.push(plane, mesh);
  }

  #addZones(scene: Scene): void {
    const points: number[] = [];
    for (const zone of scene.zones ?? []) {
      const [x, z] = [zone.at[0] ?? 0, zone.at[zone.at.length > 2 ? 2 : 1] ?? 0];
      const [w, d] = [(zone.size[0] ?? 4) / 2, (zone.size[1] ?? 4) / 2];
      const corners = [[x - w, z - d], [x + w, z - d], [x + w, z + d], [x - w, z + d]] as const;
      corners.forEach(([cx, cz], i) => {
        const [nx, nz] = corners[(i + 1) % 4]!;
        points.push(cx, 0.01, cz, nx, 0.01, nz);
      });
      this.#addWords(zone.label ?? "", x - w + 0.4, z + d - 0.3, 15);
    }
    const geometry = new BufferGeometry();
    geometry.setAttribute("position", new Float32BufferAttribute(points, 3));
    this.#zones.add(new LineSegments(geometry, this.#lines));
    this.#disposables.push(geometry);
    const planes = this.#words.map((one) => one.plane);
    if (!planes.length) return;
    const merged = mergeGeometries(planes);
    for (const plane of planes) plane.dispose();
    this.triangles += planes.length * 2;
    this.#wordsMesh = new Mesh(merged, new MeshBasicMaterial({ transparent: true, depthWrite: false }));
    this.#zones.add(this.#wordsMesh);
    this.#disposables.push(merged);
  }

  #addWords(text: string, left: number, front: number, width: number): void {
    const row = this.#words.length;
    if (!text || row >= ROWS) return;
    const plane = new PlaneGeometry(width, width / 8);
    plane.rotateX(-Math.PI / 2);
    plane.translate(left + width / 2, 0.015, front - width / 16);
    const uv = plane.getAttribute("uv");
    for (let i = 0; i < uv.count; i++) uv.setY(i, 1 - (row + 1 - uv.getY(i)) / ROWS);
    this.#words.push({ text, plane });
  }

  #addPipes(scene: Scene): void {
    const tubes: BufferGeometry[] = [];
    for (const pipe of scene.pipes ?? []) {
      const points = pipe.points.map((one) => new Vector3(one[0] ?? 0, one[1] ?? 0, one[2] ?? 0));
      if (points.length < 2) continue;
      const route = rounded(points, Math.max(0.25, (pipe.diameter ?? 0.3) * 1.6));
      tubes.push(new TubeGeometry(route as unknown as CatmullRomCurve3, Math.min(160, points.length * 12), (pipe.diameter ?? 0.3) / 2, 9));
    }
    if (!tubes.length) return;
    const merged = mergeGeometries(tubes);
    for (const tube of tubes) tube.dispose();
    this.triangles += (merged.index ?? merged.getAttribute("position")).count / 3;
    this.#pipesMesh = new Mesh(merged, this.#pipes);
    this.#pipesMesh.castShadow = this.#pipesMesh.receiveShadow = true;
    this.group.add(this.#pipesMesh);
    this.#disposables.push(merged);
  }

  dispose(): void {
    for (const one of this.#disposables) one.dispose();
    this.#wordsMesh?.material.map?.dispose();
    this.#wordsMesh?.material.dispose();
    this.#contact.map?.dispose();
    this.#contact.dispose();
    for (const one of [this.#floor, this.#shadow]) {
      one.geometry.dispose();
      one.material.dispose();
    }
    this.#grid.dispose();
    this.#ring.geometry.dispose();
    this.#ringMaterial.dispose();
    this.#lines.dispose();
    this.#pipes.dispose();
  }
}

/** Straight runs joined by quadratic corners. */
function rounded(points: Vector3[], radius: number): CurvePath<Vector3> {
  const path = new CurvePath<Vector3>();
  let from = points[0]!;
  for (let i = 1; i < points.length - 1; i++) {
    const [before, corner, after] = [points[i - 1]!, points[i]!, points[i + 1]!];
    const cut = Math.min(radius, corner.distanceTo(before) / 2, corner.distanceTo(after) / 2);
    const start = corner.clone().lerp(before, cut / (corner.distanceTo(before) || 1));
    const end = corner.clone().lerp(after, cut / (corner.distanceTo(after) || 1));
    path.add(new LineCurve3(from, start));
    path.add(new QuadraticBezierCurve3(start, corner.clone(), end));
    from = end;
  }
  path.add(new LineCurve3(from, points[points.length - 1]!));
  return path;
}

function writeWords(lines: string[], color: string): CanvasTexture {
  const canvas = document.createElement("canvas");
  canvas.width = 512;
  canvas.height = 64 * ROWS;
  const ctx = canvas.getContext("2d");
  if (ctx) {
    ctx.font = '550 38px "Inter", system-ui, sans-serif';
    ctx.fillStyle = color;
    ctx.textBaseline = "middle";
    lines.forEach((text, row) => ctx.fillText(text, 3, row * 64 + 34, 505));
  }
  const texture = new CanvasTexture(canvas);
  texture.anisotropy = 8;
  return texture;
}

/** Dark in the middle, gone at the edge. */
function softPatch(): CanvasTexture {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = 64;
  const ctx = canvas.getContext("2d");
  if (ctx) {
    const pixels = ctx.createImageData(64, 64);
    for (let i = 0; i < 64 * 64; i++) {
      const fade = (at: number): number => Math.min(1, (32 - Math.abs((at % 64) + 0.5 - 32)) / 11);
      pixels.data[i * 4 + 3] = 255 * (fade(i) * fade(Math.floor(i / 64))) ** 1.6;
    }
    ctx.putImageData(pixels, 0, 0);
  }
  return new CanvasTexture(canvas);
}
