/** Controllers, hands or a touch on the screen: each a ray that points and presses; a thumbstick turns. */

import { BufferGeometry, Group, Line, LineBasicMaterial, Raycaster, Vector3, type WebGLRenderer, type XRTargetRaySpace } from "three";

const REACH = 6;
const PUSHED = 0.7;
const RELEASED = 0.3;

interface Hand {
  ray: XRTargetRaySpace;
  line: Line<BufferGeometry, LineBasicMaterial>;
  source: XRInputSource | null;
  isPushed: boolean;
}

interface Acts {
  press: (ray: Raycaster) => void;
  turn: (direction: number) => void;
  /** The hand that is not the one that points first: a panel fits on its wrist. */
  wrist: (grip: Group | null) => void;
}

export class Hands {
  #hands: Hand[] = [];
  #stops: (() => void)[] = [];

  constructor(
    renderer: WebGLRenderer,
    private readonly rig: Group,
    private readonly acts: Acts,
  ) {
    for (const i of [0, 1]) this.#add(renderer, i);
  }

  #add(renderer: WebGLRenderer, i: number): void {
    const ray = renderer.xr.getController(i);
    const grip = renderer.xr.getControllerGrip(i);
    const line = new Line(new BufferGeometry().setFromPoints([new Vector3(), new Vector3(0, 0, -REACH)]), new LineBasicMaterial({ color: 0xffffff, transparent: true, opacity: 0.7, fog: false }));
    line.visible = false;
    ray.add(line);
    const hand: Hand = { ray, line, source: null, isPushed: false };
    const connected = ({ data }: { data: XRInputSource }): void => {
      hand.source = data;
      line.visible = data.targetRayMode === "tracked-pointer";
      if (data.handedness === "left") this.acts.wrist(grip);
    };
    const gone = (): void => {
      if (hand.source?.handedness === "left") this.acts.wrist(null);
      hand.source = null;
      line.visible = false;
    };
    const press = (): void => this.acts.press(rayOf(ray));
    ray.addEventListener("connected", connected);
    ray.addEventListener("disconnected", gone);
    ray.addEventListener("select", press);
    this.rig.add(ray, grip);
    this.#hands.push(hand);
    this.#stops.push(() => {
      ray.removeEventListener("connected", connected);
      ray.removeEventListener("disconnected", gone);
      ray.removeEventListener("select", press);
      line.removeFromParent();
      line.geometry.dispose();
      line.material.dispose();
      this.rig.remove(ray, grip);
    });
  }

  /** Once a frame: a thumbstick that is pushed aside turns once, until it is let go. */
  update(): void {
    for (const hand of this.#hands) {
      const axes = hand.source?.gamepad?.axes ?? [];
      const aside = axes.length > 2 ? axes[2]! : (axes[0] ?? 0);
      if (Math.abs(aside) < RELEASED) hand.isPushed = false;
      if (hand.isPushed || Math.abs(aside) < PUSHED) continue;
      hand.isPushed = true;
      this.acts.turn(aside > 0 ? -1 : 1);
    }
  }

  /** The rays that point now, for the mark on the floor. */
  pointing(): Raycaster[] {
    return this.#hands.filter((hand) => hand.line.visible).map((hand) => rayOf(hand.ray));
  }

  dispose(): void {
    for (const stop of this.#stops) stop();
  }
}

function rayOf(space: XRTargetRaySpace): Raycaster {
  space.updateWorldMatrix(true, false);
  return new Raycaster().setFromXRController(space);
}
