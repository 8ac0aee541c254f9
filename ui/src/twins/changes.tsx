/** Who changed a twin and why, and what is different between two moments: the clock's, and one before it. */

import { useState } from "preact/hooks";
import { get, query } from "@/core/api.ts";
import { moment, tick } from "@/core/clock.ts";
import { useResource } from "@/core/resource.ts";
import { rows } from "@/core/plant.ts";
import { href, place, setSearch } from "@/core/router.ts";
import type { FieldChange, Json, Twin, TwinDifference, TwinEdits, TwinPair } from "@/core/types.ts";
import { formatMoment } from "@/core/words.ts";
import { Empty, Failed, SkeletonRows } from "@/shell/notices.tsx";
import { Icon } from "@/shell/icon.tsx";

const HOUR = 3_600_000;
const BACK: [string, number][] = [
  ["an hour", HOUR],
  ["a day", 24 * HOUR],
  ["a week", 7 * 24 * HOUR],
  ["30 days", 30 * 24 * HOUR],
];
const MOST_SHOWN = 40;

export function ChangesTab({ twin }: { twin: Twin }) {
  const { data, error, retry } = useResource(`changes of ${twin.id}`, (abort) => get<TwinEdits>(`/twins/${encodeURIComponent(twin.id)}/changes`, abort));
  return (
    <div class="stack" style={{ gap: "24px" }}>
      <Compare twin={twin} />
      <CompareTwins twin={twin} />
      <section aria-labelledby="changes-title">
        <h2 id="changes-title">Who changed it</h2>
        {error && !data && <Failed error={error} what="The changes" retry={retry} />}
        {!data && !error && <SkeletonRows count={5} />}
        {data?.value.length === 0 && <Empty title="Nothing has been changed by hand or by a program" />}
        <ol class="changes">
          {data?.value.map((edit) => (
            <li key={edit.seq} data-testid="edit">
              <div class="row">
                <time dateTime={edit.time}>{formatMoment(Date.parse(edit.time), tick.value)}</time>
                <strong>{edit.who}</strong>
                <span class="tag">
                  {edit.kind === "relationship" ? `relationship ${edit.key} ` : ""}
                  {edit.act}
                </span>
                <span class="soft grow ellipsis">{edit.why}</span>
                <span class="meta">#{edit.seq}</span>
              </div>
              <Differences list={edit.changes} />
            </li>
          ))}
        </ol>
      </section>
    </div>
  );
}

/** What is different from a moment before the one that the clock shows. */
function Compare({ twin }: { twin: Twin }) {
  const [back, setBack] = useState(24 * HOUR);
  const shown = moment.value;
  const span = shown === null || shown > Date.now() ? { from: `-${back / HOUR}h`, to: "now" } : { from: shown - back, to: shown };
  const path = `/twins/${encodeURIComponent(twin.id)}/diff${query(span)}`;
  const { data, error, retry } = useResource(path, (abort) => get<TwinDifference>(path, abort));
  return (
    <section aria-labelledby="compare-title" data-testid="compare">
      <div class="row" style={{ flexWrap: "wrap" }}>
        <h2 id="compare-title" class="grow">
          What is different
        </h2>
        <label class="row">
          <span class="soft">since</span>
          <select class="input" value={String(back)} onChange={(event) => setBack(Number(event.currentTarget.value))}>
            {BACK.map(([words, ms]) => (
              <option key={ms} value={String(ms)}>
                {words} {shown === null ? "ago" : "before"}
              </option>
            ))}
          </select>
        </label>
      </div>
      {error && error.status !== 404 && <Failed error={error} what="The comparison" retry={retry} />}
      {error?.status === 404 && <p class="soft">The twin was not there at either moment.</p>}
      {!data && !error && <SkeletonRows count={3} />}
      {data && <Found diff={data} />}
    </section>
  );
}

/** What is different from another twin, both as they are now; which one is in the address. */
function CompareTwins({ twin }: { twin: Twin }) {
  const other = place.value.search.get("with") ?? "";
  const [text, setText] = useState(other);
  const path = other ? `/twins/${encodeURIComponent(twin.id)}/diff${query({ with: other })}` : null;
  const { data, error, retry } = useResource(path, (abort) => get<TwinPair>(path!, abort));
  const submit = (event: Event): void => {
    event.preventDefault();
    setSearch({ with: text.trim() || null });
  };
  const alike = [...rows.value.values()].filter((one) => one.model === twin.model && one.id !== twin.id).slice(0, 200);
  return (
    <section aria-labelledby="pair-title" data-testid="pair">
      <form class="row" style={{ flexWrap: "wrap" }} onSubmit={submit}>
        <h2 id="pair-title" class="grow">
          Beside another twin
        </h2>
        <input class="input pair-id" aria-label="Id of the other twin" placeholder="Id of the other twin" list="pair-ids" data-testid="pair-id" value={text} onInput={(event) => setText(event.currentTarget.value)} />
        <datalist id="pair-ids">
          {alike.map((one) => (
            <option key={one.id} value={one.id}>
              {one.name}
            </option>
          ))}
        </datalist>
        <button class="button" type="submit">
          Compare
        </button>
      </form>
      {error && !data && (error.status === 404 ? <p class="soft">There is no twin called {other}.</p> : <Failed error={error} what="The comparison" retry={retry} />)}
      {data && (
        <div class="stack" style={{ gap: "8px" }}>
          <p class="soft">
            {data.act === "same" ? "They are the same." : "Struck through is "}
            {data.act === "changed" && (
              <>
                <strong>{twin.name || twin.id}</strong>, beside it <a class="link" href={href("twins", other)}>{other}</a>.
              </>
            )}
          </p>
          <Differences list={data.changes} />
          <Differences list={data.values.map((one): FieldChange => ({ path: one.path, before: one.before?.value ?? null, after: one.after?.value ?? null, act: "changed" }))} />
          <ul class="plain">
            {data.relationships.slice(0, MOST_SHOWN).map((one) => (
              <li key={`${one.name} ${one.direction} ${one.twin}`} class="row">
                <Icon name={one.direction === "out" ? "link" : "incoming"} small />
                <span class="tag">only with {one.act === "removed" ? twin.id : other}</span>
                <span class="ellipsis">
                  {one.name} <a href={href("twins", one.twin)}>{one.twin}</a>
                </span>
              </li>
            ))}
          </ul>
          {data.relationships.length > MOST_SHOWN && <p class="muted">and {data.relationships.length - MOST_SHOWN} more relationships</p>}
        </div>
      )}
    </section>
  );
}

function Found({ diff }: { diff: TwinDifference }) {
  const values = diff.values.map((one): FieldChange => ({ path: one.path, before: one.before?.value ?? null, after: one.after?.value ?? null, act: one.before ? (one.after ? "changed" : "removed") : "added" }));
  const isSame = diff.act === "same" && diff.relationships.length === 0 && values.length === 0;
  if (isSame) return <p class="soft">Nothing.</p>;
  return (
    <div class="stack" style={{ gap: "8px" }}>
      {diff.act === "added" && <p>The twin was made in between.</p>}
      {diff.act === "removed" && <p>The twin was deleted in between.</p>}
      {diff.act === "changed" && <Differences list={diff.changes} />}
      <Differences list={values} />
      {diff.relationships.length > 0 && (
        <ul class="plain">
          {diff.relationships.map((link) => (
            <li key={`${link.$sourceId} ${link.$relationshipId}`} class="row">
              <Icon name="link" small />
              <span class="tag">{link.act}</span>
              <span class="ellipsis">
                <a href={href("twins", link.$sourceId)}>{link.$sourceId}</a> {link.$relationshipName} <a href={href("twins", link.$targetId)}>{link.$targetId}</a>
              </span>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

/** Values that are not the same, old and new; stamps of time are left out. */
function Differences({ list }: { list: FieldChange[] }) {
  const shown = list.filter((one) => !one.path.startsWith("$metadata") || one.path === "$metadata.$model");
  if (shown.length === 0) return null;
  return (
    <dl class="difference">
      {shown.slice(0, MOST_SHOWN).map((one) => (
        <div key={one.path}>
          <dt>{one.path}</dt>
          <dd>
            {one.act !== "added" && <del>{brief(one.before)}</del>} {one.act !== "removed" && <ins>{brief(one.after)}</ins>}
          </dd>
        </div>
      ))}
      {shown.length > MOST_SHOWN && <div class="muted">and {shown.length - MOST_SHOWN} more</div>}
    </dl>
  );
}

function brief(value: Json): string {
  const text = typeof value === "string" ? value : (JSON.stringify(value) ?? "");
  return text.length > 120 ? `${text.slice(0, 117)}…` : text;
}
