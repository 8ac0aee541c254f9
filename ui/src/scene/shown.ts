/** The 3D view of a scene in an element: made once, it follows the scene from then on. */

import { useEffect, useRef } from "preact/hooks";
import type { Scene } from "@/core/types.ts";
import type { PlantView, ViewOptions } from "./view.ts";

interface Watch {
  /** The view is there, or follows another scene now. */
  ready: (view: PlantView, isNew: boolean) => void;
  failed: (reason: unknown) => void;
}

/**
 * Args:
 *   key: changes when what is to be drawn does.
 *   isOff: nothing is to be shown in 3D.
 */
export function useView(box: { current: HTMLElement | null }, scene: Scene | null, key: string, isOff: boolean, options: () => ViewOptions, watch: Watch): { current: PlantView | null } {
  const view = useRef<PlantView | null>(null);
  const latest = useRef(scene);
  latest.current = scene;
  const isNone = isOff || !scene || scene.objects.length === 0;
  useEffect(() => {
    const home = box.current;
    const first = latest.current;
    if (!home || !first || isNone) return undefined;
    let isGone = false;
    import("./view.ts")
      .then((module) => module.showPlant(home, first, options(), () => isGone))
      .then(async (shown) => {
        if (!shown) return;
        view.current = shown;
        watch.ready(shown, true);
        if (latest.current && latest.current !== first) await shown.setScene(latest.current);
      })
      .catch((reason: unknown) => !isGone && watch.failed(reason));
    return () => {
      isGone = true;
      view.current?.dispose();
      view.current = null;
    };
  }, [isNone]);
  useEffect(() => {
    const shown = view.current;
    if (!shown || !scene || isNone) return;
    void shown.setScene(scene).then(() => view.current === shown && watch.ready(shown, false));
  }, [key]);
  return view;
}
