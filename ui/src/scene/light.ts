/** Sun and sky of the scene, and the shadows that the sun casts. */

import { DirectionalLight, HemisphereLight, Vector3, type Box3, type Object3D } from "three";

const FROM = new Vector3(-0.55, 1.1, 0.5).normalize();

export class Light {
  #sun = new DirectionalLight(0xffffff, 2.1);
  #sky = new HemisphereLight(0xffffff, 0x888888, 1.5);

  constructor() {
    this.#sun.shadow.mapSize.set(2048, 2048);
    this.#sun.shadow.bias = -0.0006;
    this.#sun.shadow.normalBias = 0.05;
  }

  get parts(): Object3D[] {
    return [this.#sky, this.#sun, this.#sun.target];
  }

  /** Shines on all of these bounds; its shadows are as sharp as that lets them be. */
  reach(bounds: Box3, isCasting: boolean): void {
    const centre = bounds.getCenter(new Vector3());
    const reach = bounds.getSize(new Vector3()).length() / 2 + 2;
    this.#sun.position.copy(centre).addScaledVector(FROM, reach * 2);
    this.#sun.target.position.copy(centre);
    this.#sun.castShadow = isCasting;
    Object.assign(this.#sun.shadow.camera, { left: -reach, right: reach, top: reach, bottom: -reach, near: reach * 0.5, far: reach * 4 });
    this.#sun.shadow.camera.updateProjectionMatrix();
  }

  suit(isDark: boolean): void {
    this.#sky.groundColor.set(isDark ? 0x4a525c : 0x9aa4ae);
    this.#sky.intensity = isDark ? 1.15 : 1.9;
    this.#sun.intensity = isDark ? 2.2 : 2.4;
  }
}
