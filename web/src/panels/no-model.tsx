/** Why nothing is predicted, and what to do, in the words of who tried to load the model. */
import { useEffect, useState } from "react";
import { get } from "../api/client";
import type { Models } from "../api/types";

export function WhyNoModel() {
  const [reasons, setReasons] = useState<string[]>([]);
  useEffect(() => {
    get<Models>("/models")
      .then(({ orgs }) => setReasons([...new Set(orgs.map((org) => org.note).filter(Boolean))]))
      .catch((error: unknown) => console.warn("foregate:", error)); // that there is no model stands beside it anyway
  }, []);
  return reasons.map((reason) => (
    <p key={reason} className="trouble">
      {reason}
    </p>
  ));
}
