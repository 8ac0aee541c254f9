/** Plant 3D: the whole plant to walk through, with its outline, colours, sections, views and the one clock. */

import { signal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { labelledTwins } from "@/core/alarms.ts";
import { goLive, togglePlay } from "@/core/clock.ts";
import { isTyping, singleKeys, useKeys } from "@/core/keys.ts";
import { rows, rowsLoaded } from "@/core/plant.ts";
import { place, setSearch } from "@/core/router.ts";
import { reducedMotion, themeVersion } from "@/core/theme.ts";
import type { Scene } from "@/core/types.ts";
import { useTwins } from "@/live/client.ts";
import { NoScene } from "@/overview/no-scene.tsx";
import { Outline } from "@/overview/outline.tsx";
import { SelectedTwin } from "@/overview/selected.tsx";
import { movingTwins, sceneTwins, useScene } from "@/scene/source.ts";
import { useView } from "@/scene/shown.ts";
import type { PlantView, ViewOptions } from "@/scene/view.ts";
import { layer } from "@/shell/app.tsx";
import { Icon } from "@/shell/icon.tsx";
import { Failed, NoTwins, Skeleton } from "@/shell/notices.tsx";
import { ColourBy, LegendBox } from "./colours.tsx";
import { GhostNote, GhostPicker, useGhost } from "./ghost.tsx";
import { Minimap, Plan } from "./plan.tsx";
import { useFileDrop } from "./shapes.tsx";
import { eyeIn, lookIn } from "./state.ts";
import { Tools } from "./tools.tsx";

/** The width of the buttons at the right of the scene, in pixels; on a phone they stand below. */
const TOOLS = 48;
const PHONE = 720;

const isMoving = signal(!reducedMotion());
/** Where the camera stands, for the small map. */
const eye = signal<number[]>([]);

const select = (twin: string | null): void => setSearch({ twin });

export function PlantPage() {
  const source = useScene();
  const [isOutline, setOutline] = useState(innerWidth >= 1024);
  const { scene } = source;
  const selected = place.value.search.get("twin") ?? "";
  if (source.error) return <Failed error={source.error} what="The scene" retry={source.retry} />;
  if (scene && scene.objects.length === 0 && rowsLoaded.value && rows.value.size === 0) return <NoTwins />;
  const isBare = scene?.objects.length === 0;
  const isListed = isOutline || isBare;
  return (
    <div class={`with-panel plant-page${selected ? "" : " no-panel"}`}>
      <h1 class="visually-hidden">Plant 3D</h1>
      <div class={`plant-main${isListed ? " with-outline" : ""}`}>
        {isListed && (
          <section class="plant-side" aria-label="Outline of the scene">
            <div class="panel-head">
              <h2 class="grow">Outline</h2>
              {!isBare && (
                <button class="button quiet square" aria-label="Hide the outline" onClick={() => setOutline(false)}>
                  <Icon name="close" small />
                </button>
              )}
            </div>
            {scene && <Outline scene={scene} selected={selected} />}
          </section>
        )}
        {isBare ? <NoScene selected={selected} /> : scene ? <Space scene={scene} sceneKey={source.key} selected={selected} showOutline={isOutline ? null : () => setOutline(true)} /> : <Skeleton height="100%" />}
      </div>
      {selected && (
        <aside class="panel" aria-label="The selected twin">
          <SelectedTwin id={selected} isChosen />
        </aside>
      )}
    </div>
  );
}

interface SpaceProps {
  scene: Scene;
  sceneKey: string;
  selected: string;
  showOutline: (() => void) | null;
}

function Space({ scene, sceneKey, selected, showOutline }: SpaceProps) {
  const { search } = place.value;
  const asked = lookIn(search);
  const lookKey = [asked.by, [...asked.hidden].join(","), asked.section?.join(",") ?? ""].join(";");
  const look = useMemo(() => asked, [lookKey]);
  const twins = useMemo(() => sceneTwins(scene), [scene]);
  const moving = useMemo(() => movingTwins(scene), [scene]);
  const isPlan = search.get("plan") === "1";
  const [problem, setProblem] = useState("");
  const [measured, setMeasured] = useState("");
  const [missing, setMissing] = useState("");
  const drop = useFileDrop();
  const box = useRef<HTMLDivElement>(null);
  const isFlat = isPlan || problem !== "";
  const ghostOf = search.get("ghost") ?? "";
  const ghost = useGhost(ghostOf, look.by);
  const shells = useRef(ghost.shells);
  shells.current = ghost.shells;
  useTwins([...(look.by === "alarm" || look.by === "state" ? moving : twins), ...labelledTwins.value]);

  const options = (): ViewOptions => ({ choose: select, isMoving, look: lookIn(place.peek().search), moved: tellEye, measured: setMeasured, covered: innerWidth < PHONE ? 0 : TOOLS });
  const view = useView(box, scene, sceneKey, isFlat, options, {
    ready: (shown, isNew) => {
      setMissing(shown.problems.join("; "));
      if (!isNew) return;
      const asked = eyeIn(place.peek().search);
      shown.select(place.peek().search.get("twin") ?? "");
      shown.setGhost(shells.current);
      if (asked) shown.lookFrom(asked, true);
    },
    failed: (reason) => setProblem(reason instanceof Error ? reason.message : String(reason)),
  });
  useEffect(() => view.current?.select(selected), [selected]);
  useEffect(() => view.current?.setGhost(ghost.shells), [ghost.shells]);
  useEffect(() => view.current?.recolor(), [themeVersion.value]);
  useEffect(() => view.current?.setLook(look), [lookKey]);
  useEffect(() => {
    const asked = eyeIn(search);
    if (asked && asked.join(",") !== eye.peek().join(",")) view.current?.lookFrom(asked);
  }, [search.get("eye")]);
  usePlantKeys(view);

  return (
    <section class={`plant${drop.isOver ? " drop-over" : ""}`} aria-label="Plant" data-testid="plant3d" {...drop.events}>
      {!isFlat && <div ref={box} class="plant-box" />}
      {isFlat && <Plan scene={scene} look={look} selected={selected} choose={select} />}
      <div class="plant-tools">
        {showOutline && (
          <button class="button" data-testid="outline-toggle" onClick={showOutline}>
            <Icon name="list" small /> <span class="tool-words">Outline</span>
          </button>
        )}
        <ColourBy by={look.by} twins={twins} />
        {!isFlat && <GhostPicker chosen={ghostOf} view={ghost} />}
      </div>
      {!isFlat && <GhostNote chosen={ghostOf} view={ghost} />}
      <Tools view={view} look={look} isFlat={isFlat} isMoving={isMoving} canSolid={problem === ""} dropped={drop.file} scene={scene} selected={selected} />
      {missing && <p class="plant-problem meta">Not drawn with its own shape: {missing}</p>}
      {problem && <p class="plant-problem meta">The 3D view is not available here ({problem}); this plan shows the same.</p>}
      {measured && (
        <p class="plant-measured" role="status">
          {measured}
        </p>
      )}
      <LegendBox by={look.by} twins={twins} />
      {!isFlat && <Minimap scene={scene} look={look} selected={selected} eye={eye} choose={select} />}
    </section>
  );
}

let eyeTimer = 0;

/** The address follows the camera once it rests. */
function tellEye(position: number[]): void {
  eye.value = position;
  clearTimeout(eyeTimer);
  eyeTimer = setTimeout(() => {
    if (place.peek().route === "plant") setSearch({ eye: position.length ? position.join(",") : null });
  }, 400) as unknown as number;
}

function usePlantKeys(view: { current: PlantView | null }): void {
  useKeys((event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event) || !singleKeys.value || layer.value !== "none") return false;
    const target = event.target as HTMLElement | null;
    const isOnControl = Boolean(target?.closest?.("button, a, summary, [role=tree]"));
    if (event.key === " " && !isOnControl) return (togglePlay(), true);
    if (event.key === "l" || event.key === "L") return (goLive(), true);
    if (event.key.startsWith("Arrow") && isOnControl) return false;
    return view.current?.key(event) ?? false;
  });
}
