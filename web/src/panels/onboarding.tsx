/** Nothing has passed through yet: what to type, ready to copy. */
import { useState } from "react";
import type { Services } from "../api/types";
import { Panel } from "./panel";

const EXAMPLE = `services:
  api:
    targets: [http://127.0.0.1:9000]
routes:
  - {path: /, service: api, auth: none}`;

export function Onboarding({ services }: { services: Services | null }) {
  if (!services) return null;
  const route = services.services.flatMap((service) => service.routes)[0];
  const key = route?.needs_key ? ' \\\n  -H "X-Api-Key: $YOUR_KEY"' : "";
  return (
    <Panel title={route ? "Send the first request" : "Put a service behind the gateway"} className="panel-onboarding">
      {route ? (
        <>
          <p>
            The gateway listens and knows {services.services.length} {services.services.length === 1 ? "service" : "services"}.
            As soon as a request passes through, this page comes to life.
          </p>
          <Snippet label="curl" text={`curl -i ${services.gateway_url}${route.path}${key}`} />
        </>
      ) : (
        <>
          <p>No service is configured yet. Write this to foregate.yaml and start again:</p>
          <Snippet label="foregate.yaml" text={EXAMPLE} />
          <Snippet label="shell" text="foregate up -c foregate.yaml" />
        </>
      )}
    </Panel>
  );
}

function Snippet({ label, text }: { label: string; text: string }) {
  const [copied, setCopied] = useState(false);
  const copy = () => {
    navigator.clipboard.writeText(text).then(
      () => {
        setCopied(true);
        setTimeout(() => setCopied(false), 1500);
      },
      () => setCopied(false),
    );
  };
  return (
    <div className="snippet">
      <pre tabIndex={0} aria-label={label}>{text}</pre>
      <button type="button" className="button button-small" onClick={copy} aria-label={`Copy ${label}`}>
        {copied ? "Copied" : "Copy"}
      </button>
    </div>
  );
}
