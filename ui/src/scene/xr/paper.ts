/** A sheet in space: words drawn to a canvas texture, with buttons that a ray can press. */

import { CanvasTexture, DoubleSide, Mesh, MeshBasicMaterial, PlaneGeometry, SRGBColorSpace, Vector3, type Intersection } from "three";
import { tokenColor } from "@/core/theme.ts";

export interface Line {
  words: string;
  value?: string;
  /** A token's name; the usual colour of words without one. */
  color?: string;
  isLarge?: boolean;
}

export interface Button {
  words: string;
  act: () => void;
}

const PIXELS = 1600;
const PAD = 24;
const ROW = 46;

export class Paper {
  readonly mesh: Mesh<PlaneGeometry, MeshBasicMaterial>;
  #canvas = document.createElement("canvas");
  #texture: CanvasTexture;
  #buttons: (Button & { top: number; bottom: number; left: number; right: number })[] = [];
  #drawn = "";

  /** Size in metres. */
  constructor(width: number, height: number) {
    this.#canvas.width = Math.round(width * PIXELS);
    this.#canvas.height = Math.round(height * PIXELS);
    this.#texture = new CanvasTexture(this.#canvas);
    this.#texture.colorSpace = SRGBColorSpace;
    this.mesh = new Mesh(new PlaneGeometry(width, height), new MeshBasicMaterial({ map: this.#texture, side: DoubleSide, toneMapped: false, fog: false }));
    this.mesh.renderOrder = 3;
  }

  /** Draws anew where something changed. */
  write(title: string, lines: Line[], buttons: Button[]): void {
    const key = JSON.stringify([title, lines, buttons.map((one) => one.words), tokenColor("bg2")]);
    if (key === this.#drawn) return;
    this.#drawn = key;
    const ctx = this.#canvas.getContext("2d");
    if (!ctx) return;
    const { width, height } = this.#canvas;
    ctx.fillStyle = tokenColor("bg2");
    ctx.fillRect(0, 0, width, height);
    ctx.strokeStyle = tokenColor("line2");
    ctx.lineWidth = 4;
    ctx.strokeRect(2, 2, width - 4, height - 4);
    ctx.textBaseline = "middle";
    write(ctx, title, PAD, PAD + 22, width - PAD * 2, 34, tokenColor("fg1"), 650);
    lines.forEach((line, i) => {
      const y = PAD + 74 + i * ROW;
      const size = line.isLarge ? 34 : 26;
      const split = line.value === undefined ? width - PAD * 2 : width * 0.5;
      write(ctx, line.words, PAD, y, split, size, tokenColor(line.color ?? (line.value === undefined ? "fg1" : "fg2")), 450);
      if (line.value !== undefined) write(ctx, line.value, PAD + split + 8, y, width * 0.5 - PAD * 2, size, tokenColor(line.color ?? "fg1"), 550);
    });
    this.#place(ctx, buttons);
    this.#texture.needsUpdate = true;
  }

  #place(ctx: CanvasRenderingContext2D, buttons: Button[]): void {
    const { width, height } = this.#canvas;
    const columns = 2;
    const size = (width - PAD * (columns + 1)) / columns;
    const rows = Math.ceil(buttons.length / columns);
    this.#buttons = buttons.map((one, i) => {
      const left = PAD + (i % columns) * (size + PAD);
      const top = height - (rows - Math.floor(i / columns)) * (ROW + 20 + PAD / 2) - PAD / 2;
      ctx.fillStyle = tokenColor("bg3");
      ctx.fillRect(left, top, size, ROW + 20);
      write(ctx, one.words, left + 16, top + (ROW + 20) / 2, size - 32, 26, tokenColor("fg1"), 550);
      return { ...one, left, top, right: left + size, bottom: top + ROW + 20 };
    });
  }

  /** The middle of each button, and the way it faces, in the space of the sheet's world. */
  places(): [Vector3, Vector3][] {
    const { width, height } = this.#canvas;
    const face = new Vector3(0, 0, 1).transformDirection(this.mesh.matrixWorld);
    return this.#buttons.map((one) => [this.mesh.localToWorld(new Vector3(((one.left + one.right) / 2 - width / 2) / PIXELS, (height / 2 - (one.top + one.bottom) / 2) / PIXELS, 0)), face]);
  }

  /** Presses what a ray has hit; the words of the button, or null. */
  press({ uv }: Intersection): string | null {
    if (!uv) return null;
    const [x, y] = [uv.x * this.#canvas.width, (1 - uv.y) * this.#canvas.height];
    const hit = this.#buttons.find((one) => x >= one.left && x <= one.right && y >= one.top && y <= one.bottom);
    hit?.act();
    return hit?.words ?? null;
  }

  dispose(): void {
    this.mesh.removeFromParent();
    this.mesh.geometry.dispose();
    this.mesh.material.dispose();
    this.#texture.dispose();
  }
}

function write(ctx: CanvasRenderingContext2D, words: string, x: number, y: number, room: number, size: number, color: string, weight: number): void {
  ctx.font = `${weight} ${size}px "Inter", system-ui, sans-serif`;
  ctx.fillStyle = color;
  ctx.fillText(words, x, y, room);
}
