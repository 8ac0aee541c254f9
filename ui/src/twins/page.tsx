import { useState } from "preact/hooks";
import { place } from "@/core/router.ts";
import { Discovered } from "./discovered.tsx";
import { Faceplate } from "./faceplate.tsx";
import { TwinGraph } from "./graph.tsx";
import { TwinTable } from "./table.tsx";
import { Tree } from "./tree.tsx";

export function TwinsPage({ id }: { id: string }) {
  const [isTree, setTree] = useState(false);
  const isDiscovered = place.value.search.get("view") === "discovered";
  const isGraph = place.value.search.get("view") === "graph";
  return (
    <div class={`twins${id ? " has-twin" : ""}${isTree ? " show-tree" : ""}`}>
      <Tree selected={id} fold={{ isOpen: isTree, toggle: () => setTree(!isTree) }} />
      <div class="twins-main">{isDiscovered ? <Discovered /> : isGraph && !id ? <TwinGraph /> : id ? <Faceplate key={id} id={id} /> : <TwinTable />}</div>
    </div>
  );
}
