/** Traffic and risk over time, for all routes or the chosen one, with one cursor for all four charts. */
import { memo, useMemo } from "react";
import { Chart } from "../charts/chart";
import { seriesVariable } from "../charts/colors";
import type { Line, Mark } from "../charts/options";
import { milliseconds, percent, rate } from "../lib/format";
import { sharedThreshold } from "../state/prediction";
import { column, firstOf, keyOf, timesOf, type Metric, type Scores, type Traffic } from "../state/series";
import type { State } from "../state/store";
import { setView, type View } from "../state/url";
import { Panel } from "./panel";

const LINES_MAX = 8; // with more routes the busiest are drawn; any one can be chosen
const RISK_STEP_S = 10;
const SHOWN_S_MIN = 120; // a foregate that has just started is shown from its first request, but never narrower

export const Charts = memo(function Charts({ state, view }: { state: State; view: View }) {
  const { traffic, scores } = state;
  const routes = useMemo(() => (traffic ? routesOf(traffic) : []), [traffic]);
  const drawn = view.route ? [view.route] : busiest(traffic, routes);
  const times = useMemo(() => (traffic ? timesOf(traffic) : []), [traffic]);
  const range = rangeOf(traffic, times, view);
  const variable = (route: string) => seriesVariable(Math.max(0, routes.indexOf(route)));
  const lines = (metric: Metric): Line[] =>
    drawn.map((route) => ({
      label: route,
      variable: variable(route),
      values: traffic ? column(traffic, route, times, metric) : [],
      fill: metric === "rps",
    }));
  const grid = useMemo(() => riskGrid(scores, range), [scores, range.from, range.to]);
  const marks: Mark[] = state.alerts
    .filter((alert) => !view.route || keyOf(alert.entity) === view.route)
    .map((alert) => ({ t: alert.raised_s, tone: alert.outcome === "no_failure" ? "soft" : "bad" }));
  const threshold = sharedThreshold(state.risks, drawn);
  const where = view.route || "all routes";
  return (
    <Panel
      title="Traffic"
      note={where}
      actions={<RouteSelect routes={routes} chosen={view.route} />}
      className="panel-charts"
    >
      <div className="charts">
        <Chart title="Requests per second" hint="by route" times={times} lines={lines("rps")} format={rate} topMin={1} range={range} />
        <Chart title="Error rate" hint="5xx and timeouts" times={times} lines={lines("error_rate")} format={percent} topMin={0.05} range={range} />
        <Chart
          title={view.route ? "Latency p50, p95, p99" : "Latency p95"}
          hint={view.route || "by route"}
          times={times}
          lines={view.route ? quantiles(traffic, view.route, times) : lines("p95_ms")}
          format={milliseconds}
          topMin={10}
          marks={marks}
          range={range}
        />
        <Chart
          title="Risk of failure"
          hint={threshold === undefined ? "" : `alert above ${percent(threshold)}`}
          times={grid.times}
          lines={drawn.map((route) => ({ label: route, variable: variable(route), values: grid.values(route) }))}
          format={percent}
          topMin={1}
          top={1}
          {...(threshold === undefined ? {} : { threshold })}
          marks={marks}
          range={range}
        />
      </div>
    </Panel>
  );
});

function quantiles(traffic: Traffic | null, route: string, times: number[]): Line[] {
  return (["p50_ms", "p95_ms", "p99_ms"] as const).map((metric, i) => ({
    label: metric.slice(0, 3),
    variable: `--quantile-${i + 1}`,
    values: traffic ? column(traffic, route, times, metric) : [],
  }));
}

function RouteSelect({ routes, chosen }: { routes: string[]; chosen: string }) {
  const known = chosen === "" || routes.includes(chosen) ? routes : [...routes, chosen];
  return (
    <label className="select">
      <span className="hidden">Route in the charts</span>
      <select value={chosen} onChange={(event) => setView({ route: event.target.value })}>
        <option value="">All routes</option>
        {known.map((route) => (
          <option key={route}>{route}</option>
        ))}
      </select>
    </label>
  );
}

function routesOf(traffic: Traffic): string[] {
  return [...traffic.series.keys()].filter((key) => key !== "").sort();
}

function busiest(traffic: Traffic | null, routes: string[]): string[] {
  if (!traffic || routes.length <= LINES_MAX) return routes;
  const total = (route: string) => [...(traffic.series.get(route)?.values() ?? [])].reduce((sum, p) => sum + p.requests, 0);
  return [...routes].sort((a, b) => total(b) - total(a)).slice(0, LINES_MAX).sort();
}

function rangeOf(traffic: Traffic | null, times: number[], view: View): { from: number; to: number } {
  const to = times.at(-1) ?? (traffic ? traffic.fromS + view.range.seconds : Date.now() / 1000);
  const known = traffic ? Math.min(firstOf(traffic), to - SHOWN_S_MIN) : to;
  return { from: Math.max(to - view.range.seconds, known), to };
}

/** Scores of all routes on one grid of times; where a route has several in one step the highest stands. */
function riskGrid(scores: Scores, range: { from: number; to: number }) {
  const step = Math.max(RISK_STEP_S, (range.to - range.from) / 240);
  const count = Math.max(1, Math.floor((range.to - range.from) / step) + 1);
  const times = Array.from({ length: count }, (_, i) => range.from + i * step);
  const values = (route: string): (number | null)[] => {
    const column: (number | null)[] = times.map(() => null);
    for (const point of scores.get(route) ?? []) {
      const i = Math.round((point.t - range.from) / step);
      if (i >= 0 && i < count && point.score !== null) column[i] = Math.max(column[i] ?? 0, point.score);
    }
    return bridged(column);
  };
  return { times, values };
}

/** A single missing step between two verdicts is an effect of the grid, not a gap. */
function bridged(column: (number | null)[]): (number | null)[] {
  return column.map((value, i) => {
    const before = column[i - 1];
    const after = column[i + 1];
    return value === null && before != null && after != null ? (before + after) / 2 : value;
  });
}
