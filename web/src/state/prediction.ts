/** What holds for the scores as a whole: whether there is a model at all, and from which score alerts are raised. */
import type { RiskOut, Risks } from "../api/types";
import { keyOf } from "./series";

const NO_MODEL = "off"; // the model version of verdicts where none could be loaded

export function withoutModel(risk: RiskOut): boolean {
  return risk.model_version === NO_MODEL;
}

/** Whether nobody is judged by a model. One organisation may have lost its own while others are judged. */
export function nothingPredicted(risks: Risks | null): boolean {
  return risks !== null && risks.risks.length > 0 && risks.risks.every(withoutModel);
}

/** Each organisation's follows its own false alarms. */
export function thresholdOf(risk: RiskOut, risks: Risks): number {
  return risk.horizons.find((one) => one.horizon_s === risk.horizon_s)?.threshold ?? risks.threshold;
}

/** The one that holds for all these routes; none where nothing is predicted, or where they differ. */
export function sharedThreshold(risks: Risks | null, routes: string[]): number | undefined {
  if (!risks || nothingPredicted(risks)) return undefined;
  const scored = risks.risks.filter((risk) => risk.state === "scored" && !risk.stale);
  const drawn = scored.filter((risk) => routes.includes(keyOf(risk.entity)));
  // A route that fails or learns has no threshold of its own just now: what holds for the others will hold for it.
  const thresholds = new Set((drawn.length > 0 ? drawn : scored).map((risk) => thresholdOf(risk, risks)));
  return thresholds.size > 1 ? undefined : (thresholds.values().next().value ?? risks.threshold);
}
