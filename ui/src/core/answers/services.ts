/** What the server answers (services): made by scripts/page_types.py, never changed by hand. */

import type { Json } from "./json.ts";

export interface ServiceView {
  id: string;
  kind: string;
  title: string;
  model: string | null;
  twins: string[] | null;
  as?: string;
  parameters: Record<string, Json>;
  schedule: Record<string, Json>;
  autonomy: "observe" | "advise" | "approve" | "act";
  enabled: boolean;
  version: number;
  isRunning: boolean;
  problem: string;
}
