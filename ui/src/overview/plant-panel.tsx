/** The plant in 3D with its DOM twin, an outline; the scene itself is loaded when it is first shown. */

import { signal } from "@preact/signals";
import type { FunctionComponent } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { labelledTwins, priorityOfTwin } from "@/core/alarms.ts";
import { rows, rowsLoaded } from "@/core/plant.ts";
import { place } from "@/core/router.ts";
import { reducedMotion, themeVersion } from "@/core/theme.ts";
import type { Scene } from "@/core/types.ts";
import { useTwins } from "@/live/client.ts";
import { Failed, NoTwins, Skeleton } from "@/shell/notices.tsx";
import { Icon } from "@/shell/icon.tsx";
import { Later } from "@/shell/later.tsx";
import { useView } from "@/scene/shown.ts";
import { movingTwins, sceneTwins, useScene } from "@/scene/source.ts";
import type { Look } from "@/scene/look.ts";
import { select } from "./page.tsx";

const isMoving = signal(!reducedMotion());

const COLOURS = ["alarm", "state", "health", "fidelity"];

/** `usual`: what gives the colours while the address does not say. */
export function PlantPanel({ selected, usual }: { selected: string; usual: string }) {
  const { key: sceneKey, scene, error, isAnswered, retry } = useScene();
  const [isOutline, setOutline] = useState(false);
  const [problem, setProblem] = useState("");
  const box = useRef<HTMLDivElement>(null);
  const chosen = useRef(selected);
  chosen.current = selected;
  const twins = rows.value;
  const asked = place.value.search.get("by") ?? "";
  const by = COLOURS.includes(asked) ? asked : usual;
  const look = useMemo((): Look => ({ by, hidden: new Set(), section: null }), [by]);
  const inScene = useMemo(() => (scene ? sceneTwins(scene) : []), [scene]);
  useTwins(scene ? [...(by === "health" || by === "fidelity" ? inScene : movingTwins(scene)), ...labelledTwins.value] : []);

  const view = useView(box, scene, sceneKey, false, () => ({ choose: select, isMoving, look }), {
    ready: (shown) => shown.select(chosen.current),
    failed: (reason) => setProblem(reason instanceof Error ? reason.message : String(reason)),
  });
  useEffect(() => view.current?.select(selected), [selected]);
  useEffect(() => view.current?.setLook(look), [look]);
  useEffect(() => view.current?.recolor(), [themeVersion.value]);

  const isEmpty = scene?.objects.length === 0;
  if (isEmpty && rowsLoaded.value && twins.size === 0) {
    return (
      <section aria-label="Plant" data-testid="plant">
        <NoTwins />
      </section>
    );
  }
  const isListed = isOutline || problem !== "" || isEmpty;
  return (
    <section class={`plant${isEmpty ? " bare" : ""}`} aria-label="Plant" data-testid="plant">
      <div ref={box} class="plant-box" hidden={Boolean(problem) || isEmpty} />
      {!isAnswered && !error && (
        <div class="plant-cover">
          <Skeleton height="100%" />
        </div>
      )}
      {error && (
        <div class="plant-cover">
          <Failed error={error} what="The scene" retry={retry} />
        </div>
      )}
      <div class="plant-tools">
        {!problem && !isEmpty && <Later load={colours} by={by} usual={usual} />}
        {!isEmpty && (
          <button class="button" aria-pressed={isListed} aria-expanded={isListed} data-testid="outline-toggle" onClick={() => setOutline(!isOutline)}>
            <Icon name="list" small /> <span class="tool-words">Outline</span>
          </button>
        )}
        {!problem && !isEmpty && (
          <>
            <Tool icon="home" words="Show the whole plant (h)" act={() => view.current?.home()} />
            <Tool icon="plus" words="Closer (+)" act={() => view.current?.zoom(0.8)} />
            <Tool icon="minus" words="Further (-)" act={() => view.current?.zoom(1.25)} />
            {priorityOfTwin.value.size > 0 && <Tool icon="next" words="Next abnormal twin (n)" act={() => view.current?.next(1)} />}
            <Tool icon={isMoving.value ? "pause" : "play"} words={isMoving.value ? "Stop motion" : "Show motion"} act={() => (isMoving.value = !isMoving.value)} />
          </>
        )}
      </div>
      {by !== "alarm" && !problem && !isEmpty && !isListed && <Later load={legend} by={by} twins={inScene} />}
      {problem && <p class="plant-problem meta">The 3D view is not available here ({problem}); the outline shows the same.</p>}
      {isEmpty && <Later load={noScene} selected={selected} />}
      {isListed && scene && <Later load={outline} scene={scene} selected={selected} />}
    </section>
  );
}

const outline = async (): Promise<FunctionComponent<{ scene: Scene; selected: string }>> => (await import("./outline.tsx")).Outline;
const noScene = async (): Promise<FunctionComponent<{ selected: string }>> => (await import("./no-scene.tsx")).NoScene;
const colours = async (): Promise<FunctionComponent<{ by: string; usual: string }>> => (await import("./colour-by.tsx")).ColourBy;
const legend = async (): Promise<FunctionComponent<{ by: string; twins: string[] }>> => (await import("./colour-by.tsx")).Legend;

function Tool({ icon, words, act }: { icon: string; words: string; act: () => void }) {
  return (
    <button class="button square" aria-label={words} title={words} onClick={act}>
      <Icon name={icon} small />
    </button>
  );
}
