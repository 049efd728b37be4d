/** Announced failures as short stories: when, why, how long before, and whether it came true. */
import { memo, useState } from "react";
import type { AlertOut } from "../api/types";
import { ago, clock, dateClock, duration } from "../lib/format";
import { keyOf } from "../state/series";
import { setView } from "../state/url";
import { Chip, Empty, Panel } from "./panel";

const SHOWN_FIRST = 4;

export function Alerts({ alerts, known, now }: { alerts: readonly AlertOut[]; known: boolean; now: number }) {
  const [all, setAll] = useState(false);
  const shown = all ? alerts : alerts.slice(0, SHOWN_FIRST);
  return (
    <Panel title="Alerts" note={<Record alerts={alerts} />}>
      {alerts.length === 0 && (
        <Empty>{known ? "No failure has been announced. An alert appears here with its reasons before requests fail." : "Loading…"}</Empty>
      )}
      <div aria-live="polite">
        {shown.map((alert) => (
          <Story key={alert.id} alert={alert} now={now} />
        ))}
      </div>
      {alerts.length > SHOWN_FIRST && (
        <button type="button" className="more" onClick={() => setAll(!all)} aria-expanded={all}>
          {all ? "Show fewer" : `Show ${alerts.length - SHOWN_FIRST} more`}
        </button>
      )}
    </Panel>
  );
}

/** The product judging itself, in three words. */
function Record({ alerts }: { alerts: readonly AlertOut[] }) {
  const right = alerts.filter((alert) => alert.outcome === "failed").length;
  const wrong = alerts.filter((alert) => alert.outcome === "no_failure").length;
  return right + wrong === 0 ? null : <>{right} of {right + wrong} came true</>;
}

const Story = memo(function Story({ alert, now }: { alert: AlertOut; now: number }) {
  const key = keyOf(alert.entity);
  return (
    <article className={`story story-${alert.outcome}`} aria-label={alert.title}>
      <header>
        <Outcome alert={alert} />
        <time dateTime={new Date(alert.raised_s * 1000).toISOString()} title={dateClock(alert.raised_s)}>
          {ago(alert.raised_s, now)}
        </time>
      </header>
      <h3>
        <button type="button" onClick={() => setView({ route: key })} title="Show this route in the charts">
          {alert.title}
        </button>
      </h3>
      <ul className="story-reasons">
        {alert.reasons.map((reason) => (
          <li key={reason}>{reason}</li>
        ))}
      </ul>
      {alert.kind === "risk" && <Timeline alert={alert} now={now} />}
      <p className="story-foot">
        {ending(alert, now)} <span className="story-score">{scores(alert)}</span>
      </p>
    </article>
  );
});

/** A probability, or how many times too fast an error budget is spent. */
function scores(alert: AlertOut): string {
  if (alert.kind === "burn_rate") return `burn rate ${alert.score.toFixed(1)}, peak ${alert.peak_score.toFixed(1)}`;
  return `score ${Math.round(alert.score * 100)} %, peak ${Math.round(alert.peak_score * 100)} %`;
}

function Outcome({ alert }: { alert: AlertOut }) {
  if (alert.kind === "burn_rate") {
    const tone = alert.state === "closed" ? "soft" : alert.severity === "page" ? "bad" : "warn";
    return <Chip tone={tone}>{alert.state === "closed" ? `${alert.severity} · over` : alert.severity}</Chip>;
  }
  if (alert.outcome === "failed") return <Chip tone="bad">came true</Chip>;
  if (alert.outcome === "no_failure") return <Chip tone="soft">no failure followed</Chip>;
  return <Chip tone="warn">{alert.state === "open" ? "open" : "closed · pending"}</Chip>;
}

function ending(alert: AlertOut, now: number): string {
  if (alert.outcome === "failed" && alert.lead_s !== null) {
    const lead = `Raised ${duration(alert.lead_s)} before the first failing minute`;
    return alert.failed_s === null ? `${lead}.` : `${lead} (${clock(alert.failed_s)}).`;
  }
  if (alert.outcome === "no_failure") return `${duration(alert.horizon_s)} passed without a failure.`;
  if (alert.kind === "burn_rate") {
    return alert.closed_s === null ? `Burning since ${clock(alert.raised_s)}.` : `Over after ${duration(alert.closed_s - alert.raised_s)}.`;
  }
  const left = alert.raised_s + alert.horizon_s - now;
  return left > 0 ? `Raised at ${clock(alert.raised_s)}; to be judged within ${duration(left)}.` : "Being judged.";
}

/** From the alert to the end of its horizon; filled as far as time has come, marked where it failed. */
function Timeline({ alert, now }: { alert: AlertOut; now: number }) {
  const end = alert.failed_s ?? (alert.outcome === "no_failure" ? alert.raised_s + alert.horizon_s : now);
  const share = Math.min(1, Math.max(0, (end - alert.raised_s) / alert.horizon_s));
  return (
    <svg className="timeline" viewBox="0 0 100 8" preserveAspectRatio="none" aria-hidden="true">
      <rect className="timeline-track" y="3" width="100" height="2" />
      <rect className="timeline-fill" y="3" width={share * 100} height="2" />
      <rect className="timeline-start" width="0.8" height="8" />
      {alert.failed_s !== null && <rect className="timeline-fail" x={Math.min(98.8, share * 100)} width="1.2" height="8" />}
    </svg>
  );
}
