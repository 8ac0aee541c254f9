/** What the server answers (error): made by scripts/page_types.py, never changed by hand. */

import type { Json } from "./json.ts";

export interface Error {
  error?: { code: string; message: string; hint?: string; details?: Record<string, Json>[]; };
}
