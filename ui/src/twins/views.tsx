/** One filter, shown as a table or as a graph. */

import { place, setSearch } from "@/core/router.ts";

export function Views() {
  const isGraph = place.value.search.get("view") === "graph";
  return (
    <div class="segments push" role="group" aria-label="Show the twins as">
      <button aria-pressed={!isGraph} data-testid="view-table" onClick={() => setSearch({ view: null })}>
        Table
      </button>
      <button aria-pressed={isGraph} data-testid="view-graph" onClick={() => setSearch({ view: "graph" })}>
        Graph
      </button>
    </div>
  );
}
