/** The scores that raise alerts: each organisation's follows its own false alarms. */
import type { RiskOut, Risks } from "../api/types";
import { keyOf } from "./series";
import { NO_MODEL } from "./store";

export function thresholdOf(risk: RiskOut, risks: Risks): number {
  return risk.horizons.find((one) => one.horizon_s === risk.horizon_s)?.threshold ?? risks.threshold;
}

/** The one that holds for all these routes; none where nothing is predicted, or where they differ. */
export function sharedThreshold(risks: Risks | null, routes: string[]): number | undefined {
  if (!risks || risks.model_version === NO_MODEL) return undefined;
  const drawn = risks.risks.filter((risk) => risk.state === "scored" && routes.includes(keyOf(risk.entity)));
  const thresholds = new Set(drawn.map((risk) => thresholdOf(risk, risks)));
  return thresholds.size > 1 ? undefined : (thresholds.values().next().value ?? risks.threshold);
}
