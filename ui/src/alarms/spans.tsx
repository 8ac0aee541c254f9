/** Over how long figures are told; it stands in the address. */

import { place, setSearch } from "@/core/router.ts";

type Spans = readonly (readonly [value: string, words: string])[];

/** The span that the address asks for, else the usual one. */
export function spanIn(spans: Spans, usual: string): string {
  const asked = place.value.search.get("span");
  return spans.some(([value]) => value === asked) ? asked! : usual;
}

export function SpanChooser({ spans, span }: { spans: Spans; span: string }) {
  return (
    <div class="segments" role="group" aria-label="Over how long">
      {spans.map(([value, words]) => (
        <button key={value} aria-pressed={span === value} onClick={() => setSearch({ span: value })}>
          {words}
        </button>
      ))}
    </div>
  );
}
