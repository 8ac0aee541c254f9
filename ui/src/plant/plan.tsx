/** The plant from above as SVG: the plan where there is no WebGL, and the small map beside the 3D view. */

import type { ReadonlySignal } from "@preact/signals";
import { useMemo } from "preact/hooks";
import { openAlarms } from "@/core/alarms.ts";
import { moment, wall } from "@/core/clock.ts";
import { nameOf, rows } from "@/core/plant.ts";
import { themeVersion } from "@/core/theme.ts";
import type { Scene, SceneObject } from "@/core/types.ts";
import { painter, shownPriorities, type Layer, type Look } from "@/scene/look.ts";
import { buildKind } from "@/scene/spec/evaluate.ts";
import { placed } from "./plan-labels.ts";

interface Foot {
  object: SceneObject;
  twin: string;
  at: [number, number];
  turn: number;
  /** x from, z from, width, depth, before the turn. */
  rect: [number, number, number, number];
  layer: Layer;
}

interface Drawing {
  feet: Foot[];
  box: [number, number, number, number];
}

const MOST_SPECKS = 150;
const ROUND = new Set(["tank", "silo", "wind-turbine", "meter", "sensor", "robot"]);

/** The footprint of every thing, largest first, and the extent of all. */
export function drawingOf(scene: Scene): Drawing {
  const sizes = new Map<string, [number, number, number, number]>();
  const own = scene.kinds ? { kinds: scene.kinds } : undefined;
  const feet = scene.objects.map((object): Foot => {
    const key = `${object.kind}\n${JSON.stringify(object.parameters ?? {})}`;
    let rect = sizes.get(key);
    if (!rect) {
      const { min, max } = buildKind(object.kind, object.parameters ?? {}, own, true).body.bounds();
      rect = Number.isFinite(min[0]) ? [min[0], min[2], max[0] - min[0], max[2] - min[2]] : [-0.5, -0.5, 1, 1];
      sizes.set(key, rect);
    }
    const scale = object.scale && object.scale > 0 ? object.scale : 1;
    const twin = object.twin ?? "";
    const layer = object.kind === "building" || object.kind === "room" ? "buildings" : object.kind === "sensor" ? "sensors" : twin ? "machines" : "scenery";
    return { object, twin, at: [object.at[0] ?? 0, (object.at.length > 2 ? object.at[2] : object.at[1]) ?? 0], turn: object.turn ?? 0, rect: rect.map((one) => one * scale) as Foot["rect"], layer };
  });
  feet.sort((a, b) => b.rect[2] * b.rect[3] - a.rect[2] * a.rect[3]);
  let [x0, z0, x1, z1] = [Infinity, Infinity, -Infinity, -Infinity];
  const add = (x: number, z: number, reach: number): void => void ([x0, z0, x1, z1] = [Math.min(x0, x - reach), Math.min(z0, z - reach), Math.max(x1, x + reach), Math.max(z1, z + reach)]);
  for (const foot of feet) add(...foot.at, Math.max(foot.rect[2], foot.rect[3]) / 2);
  for (const zone of scene.zones ?? []) {
    const [x, z] = [zone.at[0] ?? 0, zone.at[zone.at.length > 2 ? 2 : 1] ?? 0];
    const [w, d] = [(zone.size[0] ?? 4) / 2, (zone.size[1] ?? 4) / 2];
    add(x - w, z - d, 0);
    add(x + w, z + d, 0);
  }
  if (!Number.isFinite(x0)) [x0, z0, x1, z1] = [-10, -10, 10, 10];
  return { feet, box: [x0 - 1, z0 - 1, x1 - x0 + 2, z1 - z0 + 2] };
}

interface Props {
  scene: Scene;
  look: Look;
  selected: string;
  choose: (twin: string | null) => void;
}

export function Plan({ scene, look, selected, choose }: Props) {
  const drawing = useMemo(() => drawingOf(scene), [scene]);
  const shown = shownPriorities(useMemo(() => new Set(drawing.feet.map((foot) => foot.twin).filter(Boolean)), [drawing]));
  const unit = Math.max(drawing.box[2], drawing.box[3]) / 90;
  const size = unit * 1.3;
  const first = new Map([...drawing.feet].reverse().map((foot) => [foot.twin, foot]));
  const wanted = look.hidden.has("labels") ? [] : [...first.values()].filter(({ twin }) => twin && (shown.has(twin) || twin === selected));
  const names = placed(
    wanted.map(({ twin, at, rect }) => ({ twin, words: `${shown.get(twin) ?? ""} ${nameOf(twin)}`.trim(), at: [at[0], at[1] - rect[3] / 2 - unit * 0.5] as const, urgency: twin === selected ? 0 : shown.get(twin)! })),
    size,
  );
  return (
    <svg class="plan" viewBox={drawing.box.join(" ")} role="group" aria-label="Plan of the plant" data-testid="plan" onClick={() => choose(null)}>
      <Floor scene={scene} look={look} unit={unit} hasWords />
      <Feet drawing={drawing} look={look} selected={selected} choose={choose} isTabbed />
      {names.map((one) => (
        <text key={one.twin} class="plan-label" x={one.at[0]} y={one.y} font-size={size} text-anchor="middle">
          {one.words}
        </text>
      ))}
    </svg>
  );
}

export function Minimap({ scene, look, selected, eye, choose }: Props & { eye: ReadonlySignal<number[]> }) {
  const drawing = useMemo(() => withoutSpecks(drawingOf(scene)), [scene]);
  const unit = Math.max(drawing.box[2], drawing.box[3]) / 40;
  // One and the same node is not compared again: the camera moves over a map that stands still.
  const map = useMemo(
    () => (
      <>
        <Floor scene={scene} look={look} unit={unit} />
        <Feet drawing={drawing} look={look} selected={selected} choose={choose} />
      </>
    ),
    [drawing, look, selected],
  );
  return (
    <svg class="minimap" viewBox={drawing.box.join(" ")} aria-hidden="true" data-testid="minimap">
      {map}
      <Eye eye={eye} unit={unit} />
    </svg>
  );
}

/** Sensors by the hundred are smaller than a pixel of the small map. */
function withoutSpecks(drawing: Drawing): Drawing {
  const feet = drawing.feet.filter((foot) => foot.layer !== "sensors");
  return drawing.feet.length - feet.length > MOST_SPECKS ? { ...drawing, feet } : drawing;
}

function Eye({ eye, unit }: { eye: ReadonlySignal<number[]>; unit: number }) {
  return eye.value.length === 6 ? <path class="plan-eye" d={cone(eye.value, unit)} /> : null;
}

/** Where the camera stands and looks, as a wedge that stays on the map. */
function cone(eye: number[], unit: number): string {
  const [x, , z, tx, , tz] = eye as [number, number, number, number, number, number];
  const angle = Math.atan2(tz - z, tx - x);
  const [near, reach] = [Math.min(Math.hypot(tx - x, tz - z), unit * 16), unit * 5];
  const from = [tx - Math.cos(angle) * near, tz - Math.sin(angle) * near];
  const end = (turn: number): string => `${from[0]! + Math.cos(angle + turn) * reach} ${from[1]! + Math.sin(angle + turn) * reach}`;
  return `M${from.join(" ")} L${end(-0.4)} L${end(0.4)} Z`;
}

function Floor({ scene, look, unit, hasWords = false }: { scene: Scene; look: Look; unit: number; hasWords?: boolean }) {
  return (
    <>
      {!look.hidden.has("zones") &&
        (scene.zones ?? []).map((zone) => {
          const [x, z] = [zone.at[0] ?? 0, zone.at[zone.at.length > 2 ? 2 : 1] ?? 0];
          const [w, d] = [zone.size[0] ?? 4, zone.size[1] ?? 4];
          return (
            <g key={zone.id}>
              <rect class="plan-zone" x={x - w / 2} y={z - d / 2} width={w} height={d} />
              {hasWords && (
                <text class="plan-words" x={x - w / 2 + unit * 0.5} y={z + d / 2 - unit * 0.5} font-size={unit * 1.4}>
                  {zone.label}
                </text>
              )}
            </g>
          );
        })}
      {!look.hidden.has("pipes") && (scene.pipes ?? []).map((pipe, i) => <polyline key={i} class="plan-pipe" points={pipe.points.map((one) => `${one[0] ?? 0},${one[2] ?? 0}`).join(" ")} stroke-width={pipe.diameter ?? 0.3} />)}
    </>
  );
}

function Feet({ drawing, look, selected, choose, isTabbed = false }: { drawing: Drawing; look: Look; selected: string; choose: (twin: string) => void; isTabbed?: boolean }) {
  void [rows.value, openAlarms.value, moment.value, themeVersion.value];
  if (look.by !== "alarm" && look.by !== "state") void wall.value; // values have no signals
  const twins = useMemo(() => drawing.feet.map((foot) => foot.twin).filter(Boolean), [drawing]);
  const placed = useMemo(() => new Set(twins), [twins]);
  const paint = painter(look, shownPriorities(placed), twins);
  return (
    <>
      {drawing.feet.filter((foot) => !look.hidden.has(foot.layer)).map((foot, i) => {
        const { color, isFaded } = paint(foot.twin);
        const [x, z, w, d] = foot.rect;
        const given = {
          class: `plan-thing${foot.twin ? "" : " scenery"}${foot.twin && foot.twin === selected ? " chosen" : ""}`,
          fill: color,
          "fill-opacity": isFaded ? 0.35 : foot.layer === "buildings" ? 0.55 : 1,
          transform: `translate(${foot.at[0]} ${foot.at[1]}) rotate(${-foot.turn})`,
          "data-twin": foot.twin || undefined,
          ...(foot.twin && isTabbed ? { role: "button" as const, tabindex: 0, "aria-label": nameOf(foot.twin), "aria-pressed": foot.twin === selected, onKeyDown: (event: KeyboardEvent) => event.key === "Enter" && choose(foot.twin) } : {}),
          onClick: foot.twin ? (event: Event) => (event.stopPropagation(), choose(foot.twin)) : undefined,
        };
        return ROUND.has(foot.object.kind) ? <ellipse key={i} {...given} cx={x + w / 2} cy={z + d / 2} rx={w / 2} ry={d / 2} /> : <rect key={i} {...given} x={x} y={z} width={w} height={d} />;
      })}
    </>
  );
}
