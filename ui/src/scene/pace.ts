/** When the next picture is drawn: once for each change, and of motion alone no more than the machine can bear. */

import type { WebGLRenderer } from "three";

const MOTION_FRAME = 33;
const SLOW_FRAME = 250;
/** A software renderer rests so many times as long as it drew. */
const REST = 12;
const LOOK = 30;
const MOST = 5000;

export class Pace {
  /** What the latest picture cost (ms). */
  cost = 0;
  /** A headset asks for its pictures itself. */
  isHeld = false;
  #frame = 0;
  #timer = 0;

  constructor(
    private readonly renderer: WebGLRenderer,
    private readonly isSoftware: boolean,
    private readonly render: (now: number) => void,
  ) {}

  get isDue(): boolean {
    return this.#timer !== 0 || this.#frame !== 0;
  }

  /** Asks for one picture. */
  draw(): void {
    if (this.#frame || this.isHeld) return;
    this.#frame = requestAnimationFrame((now) => {
      this.#frame = 0;
      this.render(now);
    });
  }

  /** Motion alone is drawn at 30 pictures a second, and on slow machines so that it takes a tenth of the time. */
  goOn(start: number): void {
    if (this.isSoftware) this.#whenDone(start, () => this.#drawLater(Math.max(SLOW_FRAME, this.cost * REST)));
    else this.#drawLater(Math.max(0, MOTION_FRAME - this.cost - 4));
  }

  stop(): void {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    [this.#frame, this.#timer] = [0, 0];
  }

  #drawLater(wait: number): void {
    this.#wait(wait, () => this.draw());
  }

  /** Learns what a picture really costs a software renderer, without waiting for it. */
  #whenDone(start: number, then: () => void): void {
    const gl = this.renderer.getContext() as WebGL2RenderingContext;
    const fence = gl.fenceSync(gl.SYNC_GPU_COMMANDS_COMPLETE, 0);
    gl.flush();
    const look = (): void => {
      if (fence && gl.getSyncParameter(fence, gl.SYNC_STATUS) !== gl.SIGNALED && performance.now() - start < MOST) return this.#wait(LOOK, look);
      if (fence) gl.deleteSync(fence);
      this.cost = performance.now() - start;
      then();
    };
    this.#wait(LOOK, look);
  }

  #wait(ms: number, then: () => void): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      then();
    }, ms) as unknown as number;
  }
}

/** Smoothing makes a picture four times dearer without a graphics card; `?quality=high` asks for it all the same. */
export function isSoftwareRenderer(): boolean {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) return false;
  const info = gl.getExtension("WEBGL_debug_renderer_info");
  const name = String(gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER));
  gl.getExtension("WEBGL_lose_context")?.loseContext();
  return /swiftshader|llvmpipe|software|basic render/i.test(name);
}
