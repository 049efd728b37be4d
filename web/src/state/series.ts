/** Traffic and scores as they are kept on the page: per route, by time. Pure functions. */
import type { EntityOut, Metrics, Point, RiskHistory, RiskPoint, Risks } from "../api/types";

/** How a route is named on the page and in the URL: "payments /payments". */
export function keyOf(entity: EntityOut): string {
  return `${entity.service} ${entity.route}`;
}

export type Traffic = {
  span: number;
  fromS: number;
  /** Route → window start → point; "" is all routes together. */
  series: ReadonlyMap<string, ReadonlyMap<number, Point>>;
};
export type ScorePoint = RiskPoint;
export type Scores = ReadonlyMap<string, readonly ScorePoint[]>;

const PARTIAL_S_MIN = 4; // a window that has just begun says nothing yet

export function trafficOf(metrics: Metrics): Traffic {
  return merge({ span: metrics.span_s, fromS: metrics.from_s, series: new Map() }, metrics, metrics.from_s);
}

/** `traffic` with the windows of `news` put over it and what is older than `fromS` gone. */
export function merge(traffic: Traffic, news: Metrics, fromS: number): Traffic {
  const series = new Map<string, ReadonlyMap<number, Point>>();
  const groups: [string, Point[]][] = [["", news.total]];
  for (const one of news.series) groups.push([keyOf(one.entity), one.points]);
  const fresh = new Map(groups);
  for (const key of new Set([...traffic.series.keys(), ...fresh.keys()])) {
    const points = new Map<number, Point>();
    for (const [t, point] of traffic.series.get(key) ?? []) if (t >= fromS) points.set(t, point);
    for (const point of fresh.get(key) ?? []) {
      if (point.complete || news.now_s - point.t >= PARTIAL_S_MIN) points.set(point.t, point);
    }
    if (points.size > 0 || key === "") series.set(key, points);
  }
  return { span: traffic.span, fromS, series };
}

/** Every window start of the range, oldest first, up to the newest that holds data. */
export function timesOf(traffic: Traffic): number[] {
  const known = [...(traffic.series.get("")?.keys() ?? [])];
  if (known.length === 0) return [];
  const first = Math.ceil(traffic.fromS / traffic.span) * traffic.span;
  const last = Math.max(...known);
  const times: number[] = [];
  for (let t = first; t <= last; t += traffic.span) times.push(t);
  return times;
}

/** One metric of one route on the grid `times`; a window without requests is null, or 0 requests. */
export function column(traffic: Traffic, key: string, times: number[], metric: Metric): (number | null)[] {
  const points = traffic.series.get(key);
  const begun = firstOf(traffic);
  return times.map((t) => points?.get(t)?.[metric] ?? (metric === "rps" && t >= begun ? 0 : null));
}

/** When the first window that holds data began; before it nothing is known, not even that there was no traffic. */
export function firstOf(traffic: Traffic): number {
  return Math.min(...(traffic.series.get("")?.keys() ?? []));
}
export type Metric = "rps" | "error_rate" | "timeout_rate" | "p50_ms" | "p95_ms" | "p99_ms";

export function scoresOf(history: RiskHistory): Scores {
  return new Map(history.series.map((one) => [keyOf(one.entity), one.points]));
}

/** `scores` with the newest verdicts appended and what is older than `fromS` gone. */
export function mergeScores(scores: Scores, news: Risks, fromS: number): Scores {
  const merged = new Map<string, readonly ScorePoint[]>();
  for (const [key, points] of scores) merged.set(key, points.filter((point) => point.t >= fromS));
  for (const risk of news.risks) {
    const key = keyOf(risk.entity);
    const points = merged.get(key) ?? [];
    const last = points.at(-1);
    if (!last || risk.time_s > last.t) {
      merged.set(key, [...points, { t: risk.time_s, score: risk.score, state: risk.state }]);
    }
  }
  return merged;
}
