/** Why nothing is predicted, and what to do, in the words of who tried to load the model. */
import { useEffect, useState } from "react";
import { get } from "../api/client";
import type { Models } from "../api/types";

const REFRESH_MS = 15_000;

export function WhyNoModel() {
  const [reasons, setReasons] = useState<string[]>([]);
  useEffect(() => {
    let gone = false;
    function refresh() {
      get<Models>("/models")
        .then((models) => gone || setReasons(reasonsOf(models)))
        .catch((error: unknown) => console.warn("foregate:", error)); // that there is none stands beside it anyway
    }
    refresh();
    const timer = window.setInterval(refresh, REFRESH_MS);
    return () => {
      gone = true;
      clearInterval(timer);
    };
  }, []);
  return reasons.map((reason) => (
    <p key={reason} className="trouble">
      {reason}
    </p>
  ));
}

/** Each once: organisations that share a model share what ails it. */
function reasonsOf({ orgs }: Models): string[] {
  return [...new Set(orgs.filter((org) => org.judged_by === "off" && org.note).map((org) => org.note))];
}
