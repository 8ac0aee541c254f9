/** What `/value/...` answers. */

export type Kind = "money" | "share" | "number" | "years" | "months";

export interface Input {
  name: string;
  title: string;
  value: number;
  low: number;
  high: number;
  kind: Kind;
  source: string;
  least: number;
  most: number;
}

export interface Figure {
  name: string;
  title: string;
  kind: Kind;
  value: number | null;
  formula: string;
  with: Record<string, number | null>;
  about: string;
}

export interface Case {
  case: string;
  title: string;
  about: string;
  inputs: Input[];
}

export interface Bar {
  name: string;
  title: string;
  kind: Kind;
  low: number;
  high: number;
  atLow: number;
  atHigh: number;
}

export interface Year {
  year: number;
  saving: number;
  cost: number;
  cash: number;
  presentValue: number;
  sum: number;
}

export interface Band {
  samples: number;
  seed: number;
  presentValue: [number, number, number];
  shareAboveZero: number;
  payback: [number | null, number | null, number | null];
  sum: [number[], number[], number[]];
  histogram: { edges: number[]; counts: number[] };
  about: string;
}

export interface Worked extends Case {
  figures: Figure[];
  notes: string[];
  course: Year[];
  tornado: Bar[];
  band: Band;
}

export interface Range {
  low: number | null;
  value: number | null;
  high: number | null;
}

export interface Item extends Range {
  name: string;
  title: string;
  count: number;
  formula: string;
  about: string;
  evidence: string[];
  needs: string[];
}

export interface Measured {
  from: string;
  to: string;
  currency: string;
  days: number;
  items: Item[];
  total: Range & { of: string[]; without: string[] };
}

export interface Prices {
  [name: string]: number | string | null;
}

export interface Fidelity {
  twin: string;
  name: string;
  property: string;
  provenance: string;
  unit: string;
  quality: number | null;
  nominal: number;
  pairs: number;
  nrmse: number | null;
  rmse: number | null;
  bias: number | null;
  coverage: number | null;
  drift: number | null;
}
