/** Four numbers: traffic, errors, latency of the last minute, and alerts that are open. */
import { memo, useMemo, type ReactNode } from "react";
import { Sparkline } from "../charts/sparkline";
import { milliseconds, percent, rate } from "../lib/format";
import { column, timesOf } from "../state/series";
import { nothingPredicted } from "../state/prediction";
import type { State } from "../state/store";

export const Tiles = memo(function Tiles({ state }: { state: State }) {
  const { traffic, now, alerts } = state;
  const trend = useMemo(() => {
    if (!traffic) return null;
    const times = timesOf(traffic);
    return {
      rps: column(traffic, "", times, "rps"),
      errors: column(traffic, "", times, "error_rate"),
      p95: column(traffic, "", times, "p95_ms"),
    };
  }, [traffic]);
  const open = alerts.filter((alert) => alert.state === "open");
  const first = open[0];
  const errorTone = !now || now.requests === 0 ? "" : now.error_rate >= 0.05 ? "bad" : now.error_rate >= 0.01 ? "warn" : "";
  return (
    <section className="tiles" aria-label="Overview of the last minute">
      <Tile label="Requests" value={now ? rate(now.rps) : "–"} unit="per second" spark={<Trend values={trend?.rps} variable="--accent" />} />
      <Tile
        label="Error rate"
        value={now && now.requests > 0 ? percent(now.error_rate, now.error_rate < 0.1 ? 2 : 1) : "–"}
        unit={now ? `${now.errors} of ${now.requests} failed` : ""}
        tone={errorTone}
        spark={<Trend values={trend?.errors} variable="--bad" topMin={0.05} />}
      />
      <Tile
        label="Latency p95"
        value={now && now.requests > 0 ? milliseconds(now.p95_ms) : "–"}
        unit={now && now.requests > 0 ? `p50 ${milliseconds(now.p50_ms)} · p99 ${milliseconds(now.p99_ms)}` : ""}
        spark={<Trend values={trend?.p95} variable="--series-2" />}
      />
      <Tile
        label="Open alerts"
        value={state.status ? String(open.length) : "–"}
        unit={first ? `${first.entity.service} ${first.entity.route}` : nothingPredicted(state.risks) ? "nothing is predicted" : "no failure foreseen"}
        tone={open.length > 0 ? "bad" : ""}
      />
    </section>
  );
});

function Trend({ values, variable, topMin = 0 }: { values?: (number | null)[] | undefined; variable: string; topMin?: number }) {
  const known = values?.slice(values.findIndex((value) => value !== null)) ?? [];
  if (known.length < 2) return null;
  const top = Math.max(topMin, ...known.map((value) => value ?? 0)) || 1;
  return <Sparkline values={known} top={top * 1.1} variable={variable} />;
}

type TileProps = { label: string; value: string; unit: string; tone?: string; spark?: ReactNode };

function Tile({ label, value, unit, tone = "", spark }: TileProps) {
  return (
    <div className={`tile ${tone && `tile-${tone}`}`}>
      <span className="tile-label">{label}</span>
      <span className="tile-value">{value}</span>
      <span className="tile-unit">{unit}</span>
      {spark && <span className="tile-spark">{spark}</span>}
    </div>
  );
}
