/** The simulated state beside the real one: hatched shells about things, never their solid bodies. */

import { BoxGeometry, Color, type Box3, DoubleSide, InstancedMesh, Matrix4, Quaternion, ShaderMaterial, Vector3 } from "three";

export interface Shell {
  box: Box3;
  color: string;
}

const ROOM = 1.06;
const VERTEX = `
varying vec3 tint;
void main() {
  tint = instanceColor;
  gl_Position = projectionMatrix * modelViewMatrix * instanceMatrix * vec4(position, 1.0);
}`;
// Stripes of the screen: they stay as wide near and far, and two shells never blur into one.
const FRAGMENT = `
varying vec3 tint;
void main() {
  if (mod(gl_FragCoord.x + gl_FragCoord.y, 7.0) > 2.2) discard;
  gl_FragColor = vec4(tint, 0.9);
  #include <colorspace_fragment>
}`;

export class Ghost {
  readonly #geometry = new BoxGeometry(1, 1, 1);
  readonly #material = new ShaderMaterial({ vertexShader: VERTEX, fragmentShader: FRAGMENT, transparent: true, depthWrite: false, side: DoubleSide });
  #mesh: InstancedMesh | null = null;

  /** Replaces all shells; the mesh to be shown, if there is any. */
  show(shells: readonly Shell[]): InstancedMesh | null {
    this.#drop();
    if (!shells.length) return null;
    const mesh = new InstancedMesh(this.#geometry, this.#material, shells.length);
    const [matrix, size, centre, none, color] = [new Matrix4(), new Vector3(), new Vector3(), new Quaternion(), new Color()];
    shells.forEach(({ box, color: name }, i) => {
      mesh.setMatrixAt(i, matrix.compose(box.getCenter(centre), none, box.getSize(size).multiplyScalar(ROOM)));
      mesh.setColorAt(i, color.set(name));
    });
    mesh.renderOrder = 2;
    mesh.frustumCulled = false;
    this.#mesh = mesh;
    return mesh;
  }

  #drop(): void {
    this.#mesh?.removeFromParent();
    this.#mesh?.dispose();
    this.#mesh = null;
  }

  dispose(): void {
    this.#drop();
    this.#geometry.dispose();
    this.#material.dispose();
  }
}
