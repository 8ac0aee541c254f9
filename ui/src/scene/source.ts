/** The scene as the page shows it: fetched, with a place for twins that have none. */

import { useMemo } from "preact/hooks";
import { get, type ApiError } from "@/core/api.ts";
import { rows } from "@/core/plant.ts";
import { useResource } from "@/core/resource.ts";
import type { Scene } from "@/core/types.ts";
import { placeMissing } from "./placement.ts";

export interface Source {
  /** Changes only when what is to be drawn has changed. */
  key: string;
  scene: Scene | null;
  error: ApiError | null;
  isAnswered: boolean;
  retry: () => void;
}

export function useScene(): Source {
  const { data, error, retry } = useResource("scene", (abort) => get<Scene>("/scene", abort));
  const twins = rows.value;
  const key = useMemo(() => (data ? JSON.stringify(placeMissing(data, [...twins.values()])) : ""), [data, twins.size]);
  const scene = useMemo(() => (key ? (JSON.parse(key) as Scene) : null), [key]);
  return { key, scene, error: data ? null : error, isAnswered: data !== undefined, retry };
}

/** The twins whose values move something. */
export function movingTwins(scene: Scene): string[] {
  return scene.objects.flatMap((object) => [object.motion, object.level].map((drive) => (drive ? (drive.twin ?? object.twin ?? "") : ""))).filter(Boolean);
}

export function sceneTwins(scene: Scene): string[] {
  return [...new Set(scene.objects.map((object) => object.twin ?? "").filter(Boolean))];
}
