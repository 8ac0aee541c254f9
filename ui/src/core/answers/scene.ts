/** What the server answers (scene): made by scripts/page_types.py, never changed by hand. */

import type { Json } from "./json.ts";

/** The property that moves a part or fills a tank. */
export interface Driven {
  property: string;
  rated?: number;
  full?: number;
  twin?: string;
}

export interface Scene {
  version?: number;
  name?: string;
  /** Kinds of its own: shape specs by name. */
  kinds?: Record<string, Json>;
  geometries?: Record<string, SceneGeometry>;
  camera?: SceneCamera;
  zones?: SceneZone[];
  objects: SceneObject[];
  pipes?: ScenePipe[];
}

export interface SceneCamera {
  position: number[];
  target: number[];
}

/** A user's shape: a GLB by its hash. */
export interface SceneGeometry {
  glb: string;
  models?: string[];
  scale?: number;
  turn?: number;
  at?: number[];
}

export interface SceneGeometryNamed {
  glb: string;
  models?: string[];
  scale?: number;
  turn?: number;
  at?: number[];
  name: string;
}

export interface SceneObject {
  kind: string;
  at: number[];
  id?: string;
  twin?: string | null;
  label?: string;
  /** One of the scene's, drawn instead of the kind. */
  geometry?: string;
  /** Of a sensor: what it shows of its twin. */
  property?: string;
  turn?: number;
  scale?: number;
  parameters?: Record<string, number>;
  motion?: Driven;
  level?: Driven;
}

export interface ScenePipe {
  points: number[][];
  diameter?: number;
  twin?: string;
}

export interface SceneZone {
  id: string;
  label: string;
  at: number[];
  size: number[];
  twin?: string;
}
