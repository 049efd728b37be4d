/** What a score is made of: each feature's exact share, to the right where it raises the risk, to the left where it lowers it. */
import type { ContributionOut } from "../api/types";

type Props = { contributions: readonly ContributionOut[]; baselines: Readonly<Record<string, number>> };

export function Contributions({ contributions, baselines }: Props) {
  const most = Math.max(...contributions.map((one) => Math.abs(one.shap)), 0.001);
  return (
    <div className="contributions">
      <p className="contributions-note">Share of each sign in this score (SHAP, log-odds)</p>
      <ul>
        {contributions.map((one) => (
          <li key={one.feature}>
            <svg viewBox="-50 0 100 8" preserveAspectRatio="none" aria-hidden="true">
              <rect
                className={one.shap > 0 ? "raises" : "lowers"}
                x={one.shap > 0 ? 0 : (one.shap / most) * 48}
                width={(Math.abs(one.shap) / most) * 48}
                height="8"
              />
              <rect className="axis" x="-0.4" width="0.8" height="8" />
            </svg>
            <span className="contributions-value">{one.shap > 0 ? "+" : "−"}{Math.abs(one.shap).toFixed(2)}</span>
            <span>{one.sentence}</span>
          </li>
        ))}
      </ul>
      <Baselines baselines={baselines} />
    </div>
  );
}

/** What simple rules say of the same minute: a score that is no better than these is worth nothing. */
function Baselines({ baselines }: { baselines: Readonly<Record<string, number>> }) {
  const said = Object.entries(baselines).map(([name, value]) => `${name} ${Number(value.toPrecision(3))}`);
  return said.length === 0 ? null : <p className="contributions-baselines">Simple rules beside it: {said.join(" · ")}</p>;
}
