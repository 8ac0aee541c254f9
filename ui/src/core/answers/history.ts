/** What the server answers (history): made by scripts/page_types.py, never changed by hand. */

import type { Json } from "./json.ts";

export interface History {
  /** Milliseconds since 1970. */
  from: number;
  to: number;
  series: Readings[];
}

export interface Readings {
  twin: string;
  property: string;
  provenance: string;
  unit: string | null;
  /** raw, m4, or the aggregate of the buckets. */
  source: string;
  /** Milliseconds since 1970. */
  time: number[];
  value: (number | null)[];
  quality?: number[];
  /** By row, what is no number. */
  text?: Record<string, string>;
  received?: number[];
}

export interface SeriesFigures {
  twin: string;
  property: string;
  provenance: string;
  unit: string | null;
  count: number;
  avg: number | null;
  min: number | null;
  max: number | null;
  sum: number | null;
  first: number | null;
  last: number | null;
  sd: number | null;
}

export interface SeriesLast {
  twin: string;
  property: string;
  provenance: string;
  unit: string | null;
  value: Json;
  time: string | null;
  received?: string;
  quality?: number;
}

export interface SeriesNow {
  twin: string;
  property: string;
  provenance: string;
  unit: string | null;
  quantile: number | null;
  value: Json;
  time: string;
  received: string;
  quality: number;
}

export interface Statistics {
  /** Milliseconds since 1970. */
  from: number;
  to: number;
  value: SeriesFigures[];
}
