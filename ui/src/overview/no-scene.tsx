/** A plant whose twins have no place in a picture yet: why, and what puts the first one there. */

import { rows } from "@/core/plant.ts";
import { href } from "@/core/router.ts";
import { Empty } from "@/shell/notices.tsx";

export function NoScene({ selected }: { selected: string }) {
  const all = [...rows.value.values()];
  const first = selected || (all.find((row) => row.contains === 0 && row.status !== "never") ?? all[0])?.id;
  return (
    <div class="no-scene" data-testid="no-scene">
      <Empty title="Nothing stands in this plant's scene yet">
        <p>The list has all of its twins. Place one, give its model a geometry, or bring a scene in with the plant.</p>
        {first && (
          <a class="button primary" href={href("overview", "", { setup: first })}>
            <span class="ellipsis">Place {rows.value.get(first)?.name || first}</span>
          </a>
        )}
      </Empty>
    </div>
  );
}
