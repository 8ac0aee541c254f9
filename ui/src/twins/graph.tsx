/** Twins and their relationships as a picture, with the same as a list beside it. */

import { useEffect, useRef, useState } from "preact/hooks";
import { openAlarms } from "@/core/alarms.ts";
import { get, query } from "@/core/api.ts";
import { go, href, place, setSearch } from "@/core/router.ts";
import { themeVersion } from "@/core/theme.ts";
import type { GraphNode, Page, TwinRow } from "@/core/types.ts";
import { plural, PRIORITY_WORDS } from "@/core/words.ts";
import { Badge } from "@/shell/badge.tsx";
import { Icon } from "@/shell/icon.tsx";
import { Empty, Failed, SkeletonRows } from "@/shell/notices.tsx";
import { useSoon } from "@/shell/soon.ts";
import type { Picture } from "./graph-draw.ts";
import { begin, chosenNode, expand, graphError, graphPath, renew, showPath, shownGraph } from "./graph-store.ts";
import { StatusWord } from "./status-word.tsx";
import { Views } from "./views.tsx";

const MOST_FIRST = 60;
const HOPS = [1, 2, 3];
/** The picture is made anew so often when the browser takes its context away. */
const MOST_LOSSES = 3;

export function TwinGraph() {
  const search = place.value.search;
  const around = (search.get("around") ?? "").split(",").filter(Boolean);
  const hops = Number(search.get("hops")) || (around.length ? 1 : 2);
  const filter = query({ search: search.get("search"), model: search.get("model"), status: search.get("status"), abnormal: search.get("abnormal") === "true", where: search.get("where"), limit: MOST_FIRST });
  const isFiltered = ["search", "model", "status", "abnormal", "where"].some((name) => search.get(name));
  const [isEmpty, setEmpty] = useState(false);
  const key = around.length ? `${around.join(",")} ${hops}` : `${filter} ${hops}`;
  const start = async (): Promise<void> => {
    try {
      // Of a filter the twins that match and what is beside them; without one, the top of the plant.
      const ids = around.length ? around : (await get<Page<TwinRow>>(`/twins${isFiltered ? filter : `${filter}&parent=`}`)).value.map((one) => one.id);
      setEmpty(ids.length === 0);
      if (ids.length) await begin(key, ids, isFiltered && !around.length ? 1 : hops);
    } catch (error) {
      graphError.value = error as Error;
    }
  };
  useEffect(() => void start(), [key]);
  const now = shownGraph.value;
  return (
    <section class="twin-graph" aria-label="Graph of twins">
      <div class="page-head">
        <h1>Twins</h1>
        <span class="meta" data-testid="graph-count">
          {now ? `${plural(now.nodes.length, "twin")}, ${plural(now.edges.length, "relationship")}` : ""}
        </span>
        <Views />
      </div>
      {graphError.value && <Failed error={graphError.value} what="The graph" retry={() => void start()} />}
      {isEmpty && !now && <Empty title="No twin matches" />}
      {!now && !graphError.value && !isEmpty && <SkeletonRows count={8} />}
      {now && (
        <div class="graph-main">
          <Canvas />
          <Beside hops={hops} isAround={around.length > 0} />
        </div>
      )}
    </section>
  );
}

function Canvas() {
  const box = useRef<HTMLDivElement>(null);
  const [picture, setPicture] = useState<Picture | null>(null);
  const [problem, setProblem] = useState("");
  const [losses, setLosses] = useState(0);
  useEffect(() => {
    if (losses > MOST_LOSSES) return setProblem("The browser takes the graph's WebGL away again and again; the list has all of it.");
    let made: Picture | null = null;
    let isGone = false;
    import("./graph-draw.ts")
      .then(({ drawGraph }) => {
        if (isGone || !box.current) return;
        made = drawGraph(box.current, (id) => (chosenNode.value = id), (id) => void expand(id), () => setLosses((old) => old + 1));
        setPicture(made);
      })
      .catch(() => setProblem("This browser cannot draw the graph (no WebGL); the list has all of it."));
    return () => {
      isGone = true;
      made?.destroy();
    };
  }, [themeVersion.value, losses]);
  const now = shownGraph.value;
  const path = graphPath.value;
  const chosen = chosenNode.value;
  useEffect(() => {
    if (now) picture?.show(now.nodes, now.edges, chosen, new Set(path));
  }, [picture, now, chosen, path]);
  useSoon(openAlarms.value, 1000, () => void renew());
  return (
    <div class="graph-canvas">
      {problem && <p class="notice">{problem}</p>}
      <div ref={box} class="graph-box" role="img" aria-label={now ? `${plural(now.nodes.length, "twin")} and ${plural(now.edges.length, "relationship")}; the list beside has all of them` : "Graph"} data-testid="graph-box" />
      <div class="graph-zoom" role="group" aria-label="View">
        <button class="button square" aria-label="Closer" onClick={() => picture?.closer(true)}>
          <Icon name="plus" small />
        </button>
        <button class="button square" aria-label="Further" onClick={() => picture?.closer(false)}>
          <Icon name="minus" small />
        </button>
        <button class="button square" aria-label="All of it" onClick={() => picture?.fit()}>
          <Icon name="home" small />
        </button>
      </div>
    </div>
  );
}

function Beside({ hops, isAround }: { hops: number; isAround: boolean }) {
  const now = shownGraph.value!;
  const chosen = now.nodes.find((one) => one.id === chosenNode.value);
  return (
    <aside class="graph-side" aria-label="The graph as a list">
      {isAround && (
        <label class="row">
          <span class="soft">Relationships away</span>
          <select class="input" value={String(hops)} data-testid="graph-hops" onChange={(event) => setSearch({ hops: event.currentTarget.value })}>
            {HOPS.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
      )}
      {!now.isComplete && <p class="meta">There is more: expand a twin, or begin nearer to what you look for.</p>}
      {chosen && <Chosen node={chosen} />}
      {graphPath.value.length > 0 && <Path path={graphPath.value} />}
      <h2>
        Twins <span class="muted">{now.nodes.length}</span>
      </h2>
      <ul class="graph-list">
        {now.nodes.map((one) => (
          <li key={one.id}>
            <button class="graph-line" aria-pressed={one.id === chosenNode.value} data-testid="graph-node" data-twin-id={one.id} onClick={() => (chosenNode.value = one.id)}>
              {one.priority !== null && <Badge priority={one.priority} />}
              <span class="ellipsis">{one.name || one.id}</span>
              <span class="push meta">{one.hidden > 0 ? `+${one.hidden}` : ""}</span>
            </button>
          </li>
        ))}
      </ul>
    </aside>
  );
}

function Chosen({ node }: { node: GraphNode }) {
  const [to, setTo] = useState("");
  const now = shownGraph.value!;
  const edges = now.edges.filter((one) => one.source === node.id || one.target === node.id);
  const find = (event: Event): void => {
    event.preventDefault();
    if (to.trim()) void showPath(node.id, to.trim());
  };
  return (
    <section class="graph-chosen" aria-label={node.name || node.id} data-testid="graph-chosen" data-twin-id={node.id}>
      <div class="row">
        {node.priority !== null && <Badge priority={node.priority} />}
        <h2 class="ellipsis grow">
          <a class="link" href={href("twins", node.id)}>
            {node.name || node.id}
          </a>
        </h2>
        <StatusWord id={node.id} status={node.status} />
      </div>
      <p class="meta">
        {node.id} · {node.modelName}
        {node.priority !== null && ` · ${PRIORITY_WORDS[node.priority]} alarm`}
      </p>
      <div class="row" style={{ flexWrap: "wrap" }}>
        <button class="button" disabled={node.hidden === 0} data-testid="graph-expand" onClick={() => void expand(node.id)}>
          <Icon name="plus" small /> {node.hidden ? `Show ${node.hidden} more` : "All neighbours are shown"}
        </button>
        <button class="button" onClick={() => go(href("twins", "", { view: "graph", around: node.id }))}>
          Only around it
        </button>
      </div>
      <form class="row" onSubmit={find}>
        <input class="input" aria-label={`Way from ${node.name || node.id} to the twin with the id`} placeholder="Way to (id)" list="graph-ids" data-testid="graph-to" value={to} onInput={(event) => setTo(event.currentTarget.value)} />
        <datalist id="graph-ids">
          {now.nodes.map((one) => (
            <option key={one.id} value={one.id}>
              {one.name}
            </option>
          ))}
        </datalist>
        <button class="button" type="submit" data-testid="graph-find">
          Find
        </button>
      </form>
      {edges.length > 0 && (
        <ul>
          {edges.slice(0, 30).map((one) => (
            <li key={`${one.source} ${one.id}`} class="meta ellipsis">
              {one.source === node.id ? "" : `${one.source} `}
              {one.name} {one.target === node.id ? "" : one.target}
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Path({ path }: { path: string[] }) {
  return (
    <section aria-label="Way" data-testid="graph-path">
      <div class="row">
        <h2 class="grow">Way of {plural(path.length - 1, "relationship")}</h2>
        <button class="button quiet square" aria-label="Forget the way" onClick={() => (graphPath.value = [])}>
          <Icon name="close" small />
        </button>
      </div>
      <ol class="meta">
        {path.map((one) => (
          <li key={one}>{one}</li>
        ))}
      </ol>
    </section>
  );
}
