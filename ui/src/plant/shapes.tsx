/** Users' own shapes: a GLB file is dropped or chosen, checked by the server, and bound to a twin or its model. */

import { useEffect, useRef, useState } from "preact/hooks";
import { ApiError, get, put, query, remove, upload } from "@/core/api.ts";
import { nameOf, rows } from "@/core/plant.ts";
import { useResource } from "@/core/resource.ts";
import { toast } from "@/core/toasts.ts";
import type { Geometry, Scene } from "@/core/types.ts";
import { formatNumber } from "@/core/words.ts";
import { blockedFrom } from "@/core/writing.ts";
import { Icon } from "@/shell/icon.tsx";

interface Drop {
  file: File | null;
  isOver: boolean;
  events: { onDragOver: (event: DragEvent) => void; onDragLeave: () => void; onDrop: (event: DragEvent) => void };
}

/** The last file that was dropped onto what has these events. */
export function useFileDrop(): Drop {
  const [file, setFile] = useState<File | null>(null);
  const [isOver, setOver] = useState(false);
  return {
    file,
    isOver,
    events: {
      onDragOver: (event) => {
        if (!event.dataTransfer?.types.includes("Files")) return;
        event.preventDefault();
        setOver(true);
      },
      onDragLeave: () => setOver(false),
      onDrop: (event) => {
        setOver(false);
        const dropped = event.dataTransfer?.files[0];
        if (!dropped) return;
        event.preventDefault();
        setFile(dropped);
      },
    },
  };
}

export function Shapes({ scene, selected, dropped }: { scene: Scene; selected: string; dropped: File | null }) {
  const [version, setVersion] = useState(0);
  const [chosen, setChosen] = useState("");
  const [problem, setProblem] = useState("");
  const input = useRef<HTMLInputElement>(null);
  const { data } = useResource("geometries", (abort) => get<{ value: Geometry[] }>("/geometries", abort), version);
  const blocked = blockedFrom("plant:write");
  const send = async (file: File): Promise<void> => {
    setProblem("");
    try {
      const found = await upload<Geometry>(`/geometries${query({ name: file.name })}`, file);
      setChosen(found.sha256);
    } catch (error) {
      setProblem(error instanceof ApiError && error.hint ? `${error.message}: ${error.hint}` : String((error as Error).message));
    }
    setVersion((old) => old + 1);
  };
  useEffect(() => {
    if (dropped && !blocked) void send(dropped);
  }, [dropped]);
  const act = async (work: Promise<unknown>, words: string): Promise<void> => {
    try {
      await work;
      toast(words);
    } catch (error) {
      toast(error instanceof Error ? error.message : String(error), true);
    }
    setVersion((old) => old + 1);
  };
  const all = data?.value ?? [];
  return (
    <div class="tool-card shapes" role="group" aria-label="Own shapes" data-testid="shapes">
      {!blocked && (
        <>
          <button class="button" onClick={() => input.current?.click()}>
            Upload a GLB file…
          </button>
          <input ref={input} type="file" accept=".glb,model/gltf-binary" hidden aria-label="GLB file" data-testid="shape-file" onChange={({ currentTarget }) => currentTarget.files?.[0] && void send(currentTarget.files[0])} />
          <p class="meta">Or drop one onto the scene.</p>
        </>
      )}
      {blocked && <p class="meta">{blocked}.</p>}
      {problem && (
        <p class="problem" role="alert" data-testid="shape-problem">
          {problem}
        </p>
      )}
      {data && all.length === 0 && <p class="meta">No shapes of your own yet.</p>}
      {all.map((one) => (
        <div key={one.sha256} class="stack">
          <div class="row">
            <button class="button quiet grow view-open" aria-expanded={chosen === one.sha256} title={`${formatNumber(one.triangles)} triangles, ${one.size.map(formatNumber).join(" × ")} m`} onClick={() => setChosen(chosen === one.sha256 ? "" : one.sha256)}>
              {one.name}
            </button>
            {!blocked && one.usedAs.length === 0 && (
              <button class="button quiet square" aria-label={`Delete the shape ${one.name}`} onClick={() => void act(remove(`/geometries/${one.sha256}`), `Deleted ${one.name}`)}>
                <Icon name="trash" small />
              </button>
            )}
          </div>
          {chosen === one.sha256 && <Binding one={one} scene={scene} selected={selected} isBlocked={blocked !== ""} act={act} />}
        </div>
      ))}
    </div>
  );
}

interface BindingProps {
  one: Geometry;
  scene: Scene;
  selected: string;
  isBlocked: boolean;
  act: (work: Promise<unknown>, words: string) => Promise<void>;
}

/** What one file is drawn for. */
function Binding({ one, scene, selected, isBlocked, act }: BindingProps) {
  const [scale, setScale] = useState(1);
  const [turn, setTurn] = useState(0);
  const row = rows.value.get(selected);
  const name = one.usedAs[0] ?? nameFrom(one.name);
  const old = scene.geometries?.[name];
  useEffect(() => {
    setScale(old?.scale ?? 1);
    setTurn(old?.turn ?? 0);
  }, [name]);
  const bind = async (models: string[]): Promise<unknown> => put(`/scene/geometries/${name}`, { glb: one.sha256, scale, turn, ...(old?.at ? { at: old.at } : {}), models: [...new Set([...(old?.models ?? []), ...models])] });
  const bindTwin = async (): Promise<void> => {
    await bind([]);
    const kind = scene.objects.find((object) => object.twin === selected)?.kind ?? "box";
    await put(`/scene/objects/${encodeURIComponent(selected)}`, { kind, geometry: name });
  };
  return (
    <>
      <p class="meta">
        {formatNumber(one.triangles)} triangles, {one.size.map((length) => formatNumber(length * scale)).join(" × ")} m{one.usedAs.length > 0 && `, drawn as ${one.usedAs.join(", ")}`}
      </p>
      {one.notes.map((note) => (
        <p key={note} class="meta">
          {note}
        </p>
      ))}
      {!isBlocked && (
        <>
          <div class="row">
            <label class="field">
              Scale
              <input class="input" type="number" min={0.001} max={999} step="any" value={scale} onInput={({ currentTarget }) => setScale(Number(currentTarget.value) || 1)} />
            </label>
            <label class="field">
              Turn °
              <input class="input" type="number" step={15} value={turn} onInput={({ currentTarget }) => setTurn(Number(currentTarget.value) || 0)} />
            </label>
          </div>
          {row ? (
            <>
              <button class="button" data-testid="shape-twin" onClick={() => void act(bindTwin(), `${nameOf(selected)} is drawn with ${one.name}`)}>
                Draw {nameOf(selected)} with it
              </button>
              <button class="button" data-testid="shape-model" onClick={() => void act(bind([row.model]), `Every ${row.modelName} is drawn with ${one.name}`)}>
                Draw every {row.modelName} with it
              </button>
            </>
          ) : (
            <p class="meta">Choose a twin to draw it, or all of its model, with this shape.</p>
          )}
          {one.usedAs.map((used) => (
            <button key={used} class="button quiet" onClick={() => void act(remove(`/scene/geometries/${used}`), "Drawn as kinds again")}>
              Draw {used} as kinds again
            </button>
          ))}
        </>
      )}
    </>
  );
}

const nameFrom = (file: string): string => file.toLowerCase().replace(/\.glb$/, "").replace(/[^a-z0-9]+/g, "-").replace(/^-+|-+$/g, "").slice(0, 60) || "shape";
