/** What the server answers (notify): made by scripts/page_types.py, never changed by hand. */

export interface Notice {
  id: string;
  alarm: string;
  notification: string;
  step: number;
  receiver: string;
  created: string;
  due: string;
  state: "waiting" | "sent" | "failed" | "skipped";
  attempts: number;
  error: string;
  sent: string | null;
}

/** Who is told of which alarms. */
export interface Notification {
  id: string;
  priorities?: number[];
  rules?: string[];
  classes?: string[];
  subtree?: string;
  /** Also of alarms that follow from another. */
  members?: boolean;
  steps: NotificationStep[];
}

export interface NotificationStep {
  /** Seconds for which nobody has acknowledged. */
  after?: number;
  to: string[];
}

export interface Quiet {
  from: string;
  to: string;
  timeZone?: string;
  priorities?: number[];
}

export interface Receiver {
  id: string;
  kind: "email" | "webhook" | "mqtt";
  to?: string | string[];
  url?: string;
  topic?: string;
  quiet?: Quiet | null;
  hasSecret: boolean;
}
