/** Layers, the section box, saved views, the ruler and the camera, beside the scene. */

import type { Signal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { priorityOfTwin } from "@/core/alarms.ts";
import { get, put, remove } from "@/core/api.ts";
import { useKeys } from "@/core/keys.ts";
import { useResource } from "@/core/resource.ts";
import { setSearch } from "@/core/router.ts";
import { toast } from "@/core/toasts.ts";
import type { SavedView, Scene } from "@/core/types.ts";
import { blockedFrom } from "@/core/writing.ts";
import { LAYERS, type Look } from "@/scene/look.ts";
import type { PlantView } from "@/scene/view.ts";
import { Icon } from "@/shell/icon.tsx";
import { Shapes } from "./shapes.tsx";
import { XrButtons, saveUsdz } from "./xr.tsx";
import { FULL_SECTION, setLook, viewSearch } from "./state.ts";

type Open = "" | "layers" | "section" | "views" | "shapes";

interface Props {
  view: { current: PlantView | null };
  look: Look;
  isFlat: boolean;
  canSolid: boolean;
  isMoving: Signal<boolean>;
  /** A file that was dropped onto the scene. */
  dropped: File | null;
  scene: Scene;
  selected: string;
}

export function Tools({ view, look, isFlat, canSolid, isMoving, dropped, scene, selected }: Props) {
  const [open, setOpen] = useState<Open>("");
  useEffect(() => {
    if (dropped) setOpen("shapes");
  }, [dropped]);
  const [isMeasuring, setMeasuring] = useState(false);
  const toggle = (name: Open): void => setOpen(open === name ? "" : name);
  const measure = (): void => {
    view.current?.measure(!isMeasuring);
    setMeasuring(!isMeasuring);
  };
  useKeys((event) => {
    if (event.key !== "Escape" || !(open || isMeasuring)) return false;
    if (open) setOpen("");
    else measure();
    return true;
  });
  return (
    <div class="plant-tools right" role="toolbar" aria-label="Scene">
      <div class="tool-row">
        <Menu words="Layers" isOpen={open === "layers"} act={() => toggle("layers")} />
        {!isFlat && <Menu words="Section" isOpen={open === "section"} isSet={look.section !== null} act={() => toggle("section")} />}
        <Menu words="Shapes" isOpen={open === "shapes"} act={() => toggle("shapes")} />
        <Menu words="Views" isOpen={open === "views"} act={() => toggle("views")} />
        {canSolid && (
          <button class="button" aria-pressed={isFlat} data-testid="plan-toggle" onClick={() => setSearch({ plan: isFlat ? null : "1" })}>
            2D plan
          </button>
        )}
      </div>
      {!isFlat && (
        <div class="tool-row">
          <XrButtons view={view} />
        </div>
      )}
      {open === "layers" && <Layers look={look} />}
      {open === "section" && !isFlat && <Section section={look.section ?? FULL_SECTION} />}
      {open === "views" && <Views saveFile={isFlat ? null : () => void saveUsdz(view)} />}
      {open === "shapes" && <Shapes scene={scene} selected={selected} dropped={dropped} />}
      {!isFlat && (
        <div class="tool-column">
          <Tool icon="home" words="Show the whole plant (h)" act={() => view.current?.home()} />
          <Tool icon="camera" words="Look at the selection (f)" act={() => view.current?.focus()} />
          <Tool icon="plus" words="Closer (+)" act={() => view.current?.zoom(0.8)} />
          <Tool icon="minus" words="Further (-)" act={() => view.current?.zoom(1.25)} />
          <Tool icon="next" words="Next abnormal twin (n)" isOff={priorityOfTwin.value.size === 0} act={() => view.current?.next(1)} />
          <Tool icon={isMoving.value ? "pause" : "play"} words={isMoving.value ? "Stop motion" : "Show motion"} act={() => (isMoving.value = !isMoving.value)} />
          <Tool icon="ruler" words="Measure" isOn={isMeasuring} act={measure} />
        </div>
      )}
    </div>
  );
}

function Menu({ words, isOpen, act, isSet = false }: { words: string; isOpen: boolean; act: () => void; isSet?: boolean }) {
  return (
    <button class="button" aria-expanded={isOpen} aria-pressed={isOpen} onClick={act} data-testid={`menu-${words.toLowerCase()}`}>
      {words}
      {isSet && <span class="visually-hidden"> is set</span>}
      {isSet && <span class="live-dot on" />}
    </button>
  );
}

interface ToolProps {
  icon: string;
  words: string;
  act: () => void;
  isOn?: boolean;
  isOff?: boolean;
}

function Tool({ icon, words, act, isOn, isOff = false }: ToolProps) {
  return (
    <button class="button square" aria-label={words} title={words} aria-pressed={isOn} disabled={isOff} onClick={act}>
      <Icon name={icon} small />
    </button>
  );
}

function Card({ children, label }: { children: ComponentChildren; label: string }) {
  return (
    <div class="tool-card" role="group" aria-label={label}>
      {children}
    </div>
  );
}

function Layers({ look }: { look: Look }) {
  return (
    <Card label="Layers">
      {LAYERS.map(([name, words]) => (
        <label key={name} class="pick">
          <input
            type="checkbox"
            checked={!look.hidden.has(name)}
            onChange={(event) => {
              const hidden = new Set(look.hidden);
              if (event.currentTarget.checked) hidden.delete(name);
              else hidden.add(name);
              setLook({ hidden });
            }}
          />
          {words}
        </label>
      ))}
    </Card>
  );
}

const EDGES = ["West", "East", "Floor", "Top", "North", "South"];

function Section({ section }: { section: number[] }) {
  const change = (i: number, value: number): void => {
    const next = [...section];
    next[i] = i % 2 ? Math.max(value, next[i - 1]! + 0.01) : Math.min(value, next[i + 1]! - 0.01);
    setLook({ section: next });
  };
  return (
    <Card label="Section box">
      {EDGES.map((words, i) => (
        <label key={words} class="slide">
          <span>{words}</span>
          <input type="range" min={0} max={100} value={Math.round(section[i]! * 100)} onInput={(event) => change(i, Number(event.currentTarget.value) / 100)} />
        </label>
      ))}
      <button class="button" onClick={() => setLook({ section: null })}>
        Show all
      </button>
    </Card>
  );
}

const PARTS = ["by", "hide", "section", "eye", "plan"];

function Views({ saveFile }: { saveFile: (() => void) | null }) {
  const [version, setVersion] = useState(0);
  const { data } = useResource("views", (abort) => get<{ value: SavedView[] }>("/views", abort), version);
  const name = useRef<HTMLInputElement>(null);
  const blocked = blockedFrom("plant:write");
  const views = data?.value ?? [];
  const save = async (): Promise<void> => {
    const words = name.current?.value.trim() ?? "";
    const id = words.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
    if (!id) return toast("A view needs a name", true);
    await tried(put(`/views/${id}`, { name: words, search: viewSearch() }), `Saved the view ${words}`);
    if (name.current) name.current.value = "";
    setVersion(version + 1);
  };
  return (
    <Card label="Saved views">
      {data && views.length === 0 && <p class="meta">No views are saved yet.</p>}
      {views.map((one) => (
        <div class="row" key={one.id}>
          <button class="button quiet grow view-open" onClick={() => setSearch({ ...Object.fromEntries(PARTS.map((part) => [part, null])), ...one.search })}>
            {one.name}
          </button>
          {!blocked && (
            <button class="button quiet square" aria-label={`Delete the view ${one.name}`} onClick={() => void tried(remove(`/views/${one.id}`), `Deleted the view ${one.name}`).then(() => setVersion(version + 1))}>
              <Icon name="trash" small />
            </button>
          )}
        </div>
      ))}
      {blocked ? (
        <p class="meta">{blocked}. The address of this page shows the same view to others.</p>
      ) : (
        <form class="row" onSubmit={(event) => (event.preventDefault(), void save())}>
          <input ref={name} class="input" aria-label="Name of the view" placeholder="Name" maxLength={60} />
          <button class="button">Save</button>
        </form>
      )}
      {saveFile && (
        <button class="button" data-testid="save-usdz" onClick={saveFile}>
          Save as USDZ for iPhone and iPad
        </button>
      )}
    </Card>
  );
}

async function tried(work: Promise<unknown>, words: string): Promise<void> {
  try {
    await work;
    toast(words);
  } catch (error) {
    toast(error instanceof Error ? error.message : String(error), true);
  }
}
