/** What a score is made of: each feature's exact share, to the right where it raises the risk, to the left where it lowers it. */
import type { ContributionOut } from "../api/types";

export function Contributions({ contributions }: { contributions: readonly ContributionOut[] }) {
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
    </div>
  );
}
