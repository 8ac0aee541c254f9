/** What the server answers (value): made by scripts/page_types.py, never changed by hand. */

/** A case of the calculator, as it stands before anybody enters anything. */
export interface Case {
  case: string;
  title: string;
  about: string;
  inputs: CaseInput[];
  figures: FigureHead[];
}

/** How sure it is: every input drawn from its range. */
export interface CaseBand {
  samples: number;
  seed: number;
  levels: number[];
  presentValue: [number, number, number];
  mean: number;
  shareAboveZero: number;
  payback: [number | null, number | null, number | null];
  sum: [number[], number[], number[]];
  histogram: Histogram;
  about: string;
}

/** The present value with one input at each end of its range. */
export interface CaseBar {
  name: string;
  title: string;
  kind: "money" | "share" | "number" | "years" | "months";
  low: number;
  high: number;
  atLow: number;
  atHigh: number;
}

export interface CaseFigure {
  name: string;
  title: string;
  kind: "money" | "share" | "number" | "years" | "months";
  value: number | null;
  formula: string;
  /** What the formula was given. */
  with: Record<string, number | null>;
  about: string;
}

export interface CaseInput {
  name: string;
  title: string;
  value: number;
  low: number;
  high: number;
  kind: "money" | "share" | "number" | "years" | "months";
  source: string;
  least: number;
  most: number;
}

export interface CaseWorked {
  case: string;
  title: string;
  about: string;
  inputs: CaseInput[];
  figures: CaseFigure[];
  notes: string[];
  course: CaseYear[];
  tornado: CaseBar[];
  band: CaseBand;
}

export interface CaseYear {
  year: number;
  saving: number | null;
  cost: number | null;
  cash: number | null;
  presentValue: number | null;
  sum: number | null;
}

/** How well the predictions of one signal met what was measured. */
export interface Fidelity {
  twin: string;
  name: string;
  property: string;
  predictedBy: string;
  provenance: string;
  unit: string | null;
  quality: number | null;
  nominal: number;
  pairs: number;
  nrmse: number | null;
  rmse: number | null;
  bias: number | null;
  coverage: number | null;
  drift: number | null;
}

export interface FidelityOf {
  from: string;
  to: string;
  value: Fidelity[];
}

export interface FigureHead {
  name: string;
  title: string;
  formula: string;
  kind: "money" | "share" | "number" | "years" | "months";
  about: string;
}

export interface Histogram {
  edges: number[];
  counts: number[];
}

/** What things cost at this plant; null: not entered. */
export interface Prices {
  currency: string;
  failed: number | null;
  planned: number | null;
  inspection: number | null;
  downtimeHour: number | null;
  minutes: number | null;
  wage: number | null;
  avoided: number;
  avoidedLow: number;
  avoidedHigh: number;
  stopPriority: number;
}

export interface ValueItem {
  low: number | null;
  value: number | null;
  high: number | null;
  name: string;
  title: string;
  count: number;
  formula: string;
  about: string;
  evidence: string[];
  /** Prices that must be entered first. */
  needs: string[];
  medianLeadHours?: number | null;
  hoursADay?: number | null;
  hoursADayBefore?: number | null;
  daysBefore?: number;
  stops?: number;
}

export interface ValueMeasured {
  from: string;
  to: string;
  currency: string;
  days: number;
  items: ValueItem[];
  total: ValueTotal;
  levels: number[];
  draws: number;
  seed: number;
}

export interface ValueTotal {
  low: number | null;
  value: number | null;
  high: number | null;
  of: string[];
  without: string[];
}
