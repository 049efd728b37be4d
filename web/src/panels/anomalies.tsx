/** Values far from what is usual for their route. */
import { memo } from "react";
import type { AnomalyOut } from "../api/types";
import { ago, duration } from "../lib/format";
import { keyOf } from "../state/series";
import { Chip, Empty, Panel } from "./panel";

const SHOWN_MAX = 6;
const METRIC = { p95_ms: "latency", error_rate: "errors", rps: "traffic" };

export const Anomalies = memo(function Anomalies({ anomalies, now }: { anomalies: readonly AnomalyOut[]; now: number }) {
  return (
    <Panel title="Unusual" note="last hour">
      {anomalies.length === 0 && <Empty>Everything is within its usual band.</Empty>}
      <ul className="anomalies">
        {anomalies.slice(0, SHOWN_MAX).map((anomaly) => (
          <li key={anomaly.id} className={anomaly.ended_s === null ? "" : "over"}>
            <div className="anomaly-head">
              <Chip tone={anomaly.ended_s === null ? "warn" : "soft"}>{METRIC[anomaly.metric]}</Chip>
              <b>{keyOf(anomaly.entity)}</b>
              <span className="soft">{when(anomaly, now)}</span>
            </div>
            <p>
              {anomaly.sentence} <span className="soft" title="Robust z-score of its worst moment">z {anomaly.z.toFixed(1)}</span>
            </p>
          </li>
        ))}
      </ul>
      {anomalies.length > SHOWN_MAX && <p className="empty">and {anomalies.length - SHOWN_MAX} more in the last hour</p>}
    </Panel>
  );
});

function when(anomaly: AnomalyOut, now: number): string {
  if (anomaly.ended_s === null) return `for ${duration(now - anomaly.started_s)}`;
  return ago(anomaly.ended_s, now);
}
