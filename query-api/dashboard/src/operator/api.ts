/** The routes by which the whole system is watched and its history made anew. */
import type { Client } from "../api/client";

export type Level = "flush" | "hour" | "day" | "month";

export interface Partition {
  partition: number;
  first_seq: number;
  last_seq: number;
  sealed_seq: number;
  folded_seq: number;
  /** Messages of the stream that are not in answers yet. */
  lag: number;
  /** Messages that are not in files yet. */
  unsealed: number;
  watermark: string | null;
  lag_ms: number | null;
  revision: number;
  tail_rows: number;
  accepted: number | null;
  condition: string;
  alarms: string[];
  parts: { count: number; rows: number; bytes: number; levels: LevelOfParts[] };
  logic: { from_seq: number; logic: string; pinned: boolean }[];
  checkpoints: { seq: number }[];
  promotion: { kind: "promote" | "rollback"; at: string; revision: number; rollback_offered: boolean } | null;
}

export interface LevelOfParts {
  level: Level;
  parts: number;
  rows: number;
  bytes: number;
}

export interface Region {
  region: string;
  partitions: Partition[];
}

export interface Overview {
  now: string;
  can_act: boolean;
  regions: Region[];
}

export interface Rejected {
  seq: number;
  time: string;
  reason: string;
  domains: string[];
  errors: unknown;
  body: string;
}

export type Action = "plan" | "run" | "diff" | "promote" | "rollback" | "discard" | "stop" | "flush";

export interface ReplayPartition {
  region: string;
  partition: number;
  from_seq: number;
  percent: number;
  promoted: boolean;
  rollback_offered: boolean;
}

export interface ReplayStatus {
  id: string;
  phase: string;
  logic: string | null;
  created: string;
  events: number;
  partitions: ReplayPartition[];
}

export interface Work {
  action: Action;
  state: "running" | "done" | "failed";
  began: string;
  ended: string | null;
  result: unknown;
  error: string | null;
}

export interface Replay {
  status: ReplayStatus | null;
  can: Action[];
  work: Work | null;
}

export interface PlanPartition {
  region: string;
  partition: number;
  from_seq: number;
  from_time: string | null;
  checkpoint: { seq: number; time: string | null };
  read: { first_seq: number; last_seq: number; messages: number; bytes: number };
  events: number;
  hours: { first: string; last: string; count: number } | null;
  files: { kept: number; split: number; replaced: number };
  sealed_seq: number;
}

export interface Plan {
  logic: string | null;
  estimated_s: number;
  partitions: PlanPartition[];
}

/** A figure that comes out otherwise. */
export interface Change {
  site_id: number;
  site?: string | null;
  metric: string;
  served: number;
  shadow: number;
  difference: number;
}

export interface ValueChange extends Change {
  /** Empty: of everything. */
  dimension: string;
  /** Empty: none. */
  value: string;
}

export interface Sample {
  seq: number;
  index: number;
  time: string;
  name: string;
  pathname: string;
  /** Null: the row is not on that side. */
  served: string | null;
  shadow: string | null;
}

export interface Difference extends ValueChange {
  hour: string;
  samples: Sample[];
}

export interface Diff {
  equal: boolean;
  partitions: { region: string; partition: number; equal: boolean }[];
  rows: { changed: number; served_only: number; shadow_only: number };
  totals: Change[];
  values: ValueChange[];
  values_total: number;
  differences: Difference[];
  differences_total: number;
}

/** The operator's routes; long work goes on in the background and is read by `replay`. */
export class OperatorApi {
  constructor(private readonly client: Client) {}

  async overview(signal: AbortSignal): Promise<Overview> {
    return (await this.client.call("GET", "/api/operator/overview", undefined, signal)) as Overview;
  }

  async rejected(limit: number, signal: AbortSignal): Promise<Rejected[]> {
    const path = `/api/operator/rejected?limit=${limit}`;
    return ((await this.client.call("GET", path, undefined, signal)) as { rejected: Rejected[] }).rejected;
  }

  async replay(signal?: AbortSignal): Promise<Replay> {
    return (await this.client.call("GET", "/api/operator/replay", undefined, signal)) as Replay;
  }

  /** Names of the files of the rules that are in force. */
  async ruleFiles(signal: AbortSignal): Promise<string[]> {
    const answer = await this.client.call("GET", "/api/operator/rules", undefined, signal);
    return (answer as { files: { file: string }[] }).files.map((one) => one.file);
  }

  /** The text of one of them. */
  async ruleText(file: string, signal: AbortSignal): Promise<string> {
    const path = `/api/operator/rules/${encodeURIComponent(file)}`;
    return ((await this.client.call("GET", path, undefined, signal)) as { text: string }).text;
  }

  async act(action: Action, body: Record<string, unknown>): Promise<Work> {
    return ((await this.client.call("POST", `/api/operator/replay/${action}`, body)) as { work: Work }).work;
  }
}
