/** The plant in 3D with its DOM twin, an outline; the scene itself is loaded when it is first shown. */

import { signal } from "@preact/signals";
import { useEffect, useRef, useState } from "preact/hooks";
import { labelledTwins, priorityOfTwin } from "@/core/alarms.ts";
import { rows, rowsLoaded } from "@/core/plant.ts";
import { reducedMotion, themeVersion } from "@/core/theme.ts";
import type { Scene } from "@/core/types.ts";
import { useTwins } from "@/live/client.ts";
import { Failed, NoTwins, Skeleton } from "@/shell/notices.tsx";
import { Icon } from "@/shell/icon.tsx";
import { useView } from "@/scene/shown.ts";
import { movingTwins, useScene } from "@/scene/source.ts";
import type { Outline } from "./outline.tsx";
import { select } from "./page.tsx";

const isMoving = signal(!reducedMotion());

export function PlantPanel({ selected }: { selected: string }) {
  const { key: sceneKey, scene, error, isAnswered, retry } = useScene();
  const [isOutline, setOutline] = useState(false);
  const [problem, setProblem] = useState("");
  const box = useRef<HTMLDivElement>(null);
  const chosen = useRef(selected);
  chosen.current = selected;
  const twins = rows.value;
  useTwins(scene ? [...movingTwins(scene), ...labelledTwins.value] : []);

  const view = useView(box, scene, sceneKey, false, () => ({ choose: select, isMoving }), {
    ready: (shown) => shown.select(chosen.current),
    failed: (reason) => setProblem(reason instanceof Error ? reason.message : String(reason)),
  });
  useEffect(() => view.current?.select(selected), [selected]);
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
    <section class="plant" aria-label="Plant" data-testid="plant">
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
        <button class="button" aria-pressed={isListed} aria-expanded={isListed} data-testid="outline-toggle" onClick={() => setOutline(!isOutline)}>
          <Icon name="list" small /> Outline
        </button>
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
      {problem && <p class="plant-problem meta">The 3D view is not available here ({problem}); the outline shows the same.</p>}
      {isEmpty && <p class="plant-problem meta">This plant has no scene yet: put one at scene/plant to see it in 3D.</p>}
      {isListed && scene && <List scene={scene} selected={selected} />}
    </section>
  );
}

/** The outline comes when it is asked for: few read a plant as a list on the first page. */
function List(props: { scene: Scene; selected: string }) {
  const [found, setFound] = useState<{ Shown: typeof Outline } | null>(null);
  useEffect(() => {
    let isGone = false;
    void import("./outline.tsx").then((module) => !isGone && setFound({ Shown: module.Outline }));
    return () => void (isGone = true);
  }, []);
  return found && <found.Shown {...props} />;
}

function Tool({ icon, words, act }: { icon: string; words: string; act: () => void }) {
  return (
    <button class="button square" aria-label={words} title={words} onClick={act}>
      <Icon name={icon} small />
    </button>
  );
}
