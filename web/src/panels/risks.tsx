/** What will fail next: every route with its probability, its reasons in words, and how honest that is just now. */
import { memo, useState } from "react";
import type { RiskOut, Risks } from "../api/types";
import { Sparkline } from "../charts/sparkline";
import { ago, duration, percent } from "../lib/format";
import { nothingPredicted, thresholdOf, withoutModel } from "../state/prediction";
import { keyOf, type ScorePoint, type Scores } from "../state/series";
import type { State } from "../state/store";
import { setView, type View } from "../state/url";
import { Contributions } from "./contributions";
import { WhyNoModel } from "./no-model";
import { Chip, Empty, Panel } from "./panel";

export function RiskPanel({ state, view, now }: { state: State; view: View; now: number }) {
  const { risks } = state;
  const horizon = risks?.risks[0]?.horizon_s;
  const off = nothingPredicted(risks);
  const note = off
    ? "no model is loaded: nothing is predicted"
    : risks && horizon
      ? `probability of failure within ${duration(horizon)}`
      : undefined;
  return (
    <Panel
      title="What will fail next"
      className="panel-risks"
      note={note}
      actions={risks?.model_version && !off ? <code className="model-version" title="The model that gives these scores">{risks.model_version}</code> : undefined}
    >
      {off && <WhyNoModel />}
      {!risks || risks.risks.length === 0 ? (
        <Empty>
          {risks ? "No route has been judged yet. Scores begin about two minutes after the first requests." : "Loading…"}
        </Empty>
      ) : (
        <ul className="risks">
          {order(risks).map((risk) => {
            const key = keyOf(risk.entity);
            return (
              <Row
                key={key}
                risk={risk}
                threshold={thresholdOf(risk, risks)}
                points={state.scores.get(key)}
                stale={risk.stale || now - risk.time_s > risk.stale_after_s}
                age={ago(risk.time_s, now)}
                chosen={view.route === key}
              />
            );
          })}
        </ul>
      )}
    </Panel>
  );
}

const RANK = { failing: 0, scored: 1, learning: 2, quiet: 3 };

/** Failing first, then by score, then those without a verdict. */
function order(risks: Risks): RiskOut[] {
  return [...risks.risks].sort(
    (a, b) =>
      RANK[a.state] - RANK[b.state] || (b.score ?? 0) - (a.score ?? 0) || keyOf(a.entity).localeCompare(keyOf(b.entity)),
  );
}

type RowProps = {
  risk: RiskOut;
  threshold: number;
  points: Scores extends ReadonlyMap<string, infer P> ? P | undefined : never;
  stale: boolean;
  age: string;
  chosen: boolean;
};

const Row = memo(function Row({ risk, threshold, points, stale, age, chosen }: RowProps) {
  const [open, setOpen] = useState(false);
  const key = keyOf(risk.entity);
  const level = levelOf(risk, threshold);
  return (
    <li className={`risk risk-${level} ${stale ? "risk-stale" : ""}`}>
      <div className="risk-line">
        <div className="risk-name">
          <button
            type="button"
            className="risk-route"
            aria-pressed={chosen}
            title={chosen ? "Show all routes in the charts" : "Show this route in the charts"}
            onClick={() => setView({ route: chosen ? "" : key })}
          >
            <b>{risk.entity.service}</b> <span>{risk.entity.route}</span>
          </button>
          <Verdict risk={risk} level={level} stale={stale} age={age} />
        </div>
        <div className="risk-why">
          <Reasons risk={risk} level={level} />
          <Beside risk={risk} />
        </div>
        <span className="risk-spark">
          <Sparkline values={lastOf(points)} top={1} threshold={threshold} variable={VARIABLE[level]} width={112} height={30} />
        </span>
        <Score risk={risk} threshold={threshold} />
        <button
          type="button"
          className="risk-more"
          aria-expanded={open}
          aria-label={`${open ? "Hide" : "Show"} what the score of ${key} is made of`}
          disabled={risk.contributions.length === 0}
          onClick={() => setOpen(!open)}
        >
          <svg viewBox="0 0 16 16" aria-hidden="true">
            <path d="m5 6.5 3 3 3-3" />
          </svg>
        </button>
      </div>
      {open && <Contributions contributions={risk.contributions} baselines={risk.baselines} />}
    </li>
  );
});

type Level = "high" | "raised" | "low" | "failing" | "none";
const VARIABLE: Record<Level, string> = {
  high: "--bad", raised: "--warn", low: "--good", failing: "--bad", none: "--text-soft",
};
const LIKELY = 0.5; // below it an alert says no more than "may"
const RAISED = 0.5; // of the threshold: worth a look, not yet an alert

function levelOf(risk: RiskOut, threshold: number): Level {
  if (risk.state === "failing") return "failing";
  if (risk.score === null) return "none";
  if (risk.score >= threshold) return "high";
  return risk.score >= RAISED * threshold ? "raised" : "low";
}

function Verdict({ risk, level, stale, age }: { risk: RiskOut; level: Level; stale: boolean; age: string }) {
  if (stale) return <Chip tone="soft" title="The predictor has been silent since">stale · {age}</Chip>;
  if (risk.state === "learning" && withoutModel(risk)) return <Chip tone="soft">no model</Chip>;
  if (risk.state === "learning") {
    return (
      <Chip tone="info">
        learning · {Math.floor(risk.minutes_seen)} of {Math.ceil(risk.minutes_needed)} min
      </Chip>
    );
  }
  if (level === "failing") return <Chip tone="bad">failing now</Chip>;
  if (risk.state === "quiet") return <Chip tone="soft">no traffic</Chip>;
  if (level === "high") return <Chip tone="bad">{(risk.score ?? 0) >= LIKELY ? "likely to fail" : "may fail"}</Chip>;
  return level === "raised" ? <Chip tone="warn">elevated</Chip> : <Chip tone="good">unlikely</Chip>;
}

function Reasons({ risk, level }: { risk: RiskOut; level: Level }) {
  const raising = risk.contributions.filter((one) => one.shap > 0).slice(0, 2);
  if (risk.state === "learning" && withoutModel(risk)) {
    return <p className="risk-reasons soft">Watched for unusual values; without a model no failure is foreseen.</p>;
  }
  if (risk.state === "learning") return <p className="risk-reasons soft">Getting to know what is usual for this route.</p>;
  if (risk.state === "quiet") return <p className="risk-reasons soft">Nothing to judge without requests.</p>;
  if (risk.state === "failing" && raising.length === 0) {
    return <p className="risk-reasons">It fails already: nothing is left to foresee.</p>;
  }
  if (level === "low" || raising.length === 0) return <p className="risk-reasons soft">Nothing points to a failure.</p>;
  return (
    <ul className="risk-reasons">
      {raising.map((one) => (
        <li key={one.feature}>{one.sentence}</li>
      ))}
    </ul>
  );
}

/** The other horizons, and what the verdict lacks. */
function Beside({ risk }: { risk: RiskOut }) {
  if (risk.state !== "scored") return null;
  const others = risk.horizons.filter((one) => one.horizon_s !== risk.horizon_s);
  return (
    <p className="risk-beside soft">
      {others.map((one) => (
        <span key={one.horizon_s} title={`Alerts would be raised above ${percent(one.threshold)}`}>
          within {one.horizon_s / 60} min: {percent(one.score)}
        </span>
      ))}
      {risk.note && <span title={risk.note}>{risk.note.split(": ", 2).join(": ")}</span>}
    </p>
  );
}

function Score({ risk, threshold }: { risk: RiskOut; threshold: number }) {
  if (risk.score === null) return <span className="score score-none">–</span>;
  return (
    <span className="score">
      <span className="score-value">
        {Math.round(risk.score * 100)}
        <small> %</small>
      </span>
      <svg className="score-bar" viewBox="0 0 100 6" preserveAspectRatio="none" aria-hidden="true">
        <rect className="score-track" width="100" height="6" />
        <rect className="score-fill" width={Math.max(1, risk.score * 100)} height="6" />
        <rect className="score-mark" x={threshold * 100 - 0.75} width="1.5" height="6" />
      </svg>
      <span className="hidden">alert above {percent(threshold)}</span>
    </span>
  );
}

const SPARK_POINTS = 90;
function lastOf(points: readonly ScorePoint[] | undefined): (number | null)[] {
  return (points ?? []).slice(-SPARK_POINTS).map((point) => point.score);
}
