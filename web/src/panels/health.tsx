/** How foregate itself is: processes, lag, accounts. */
import type { Status } from "../api/types";
import { duration } from "../lib/format";
import { Panel } from "./panel";

export function Health({ status, now }: { status: Status | null; now: number }) {
  if (!status) return null;
  const accepted = status.accounts["accepted"] ?? 0;
  const others = Object.entries(status.accounts).filter(([outcome, count]) => outcome !== "accepted" && count > 0);
  return (
    <Panel title="foregate" className="panel-health" note={`version ${status.version}`}>
      <dl className="facts">
        {status.processes.map((process) => (
          <div key={process.name}>
            <dt>{process.name}</dt>
            <dd>
              <i className={`dot dot-${process.state}`} />
              {process.state}
              {process.since_s !== null && <span className="soft"> · {duration(now - process.since_s)}</span>}
              {process.restarts > 0 && <span className="soft"> · {process.restarts} restarts</span>}
            </dd>
          </div>
        ))}
        <div>
          <dt>Events counted</dt>
          <dd>
            {accepted.toLocaleString("en")}
            {others.map(([outcome, count]) => (
              <span key={outcome} className="soft"> · {count.toLocaleString("en")} {outcome}</span>
            ))}
          </dd>
        </div>
        <div>
          <dt>Not yet in windows</dt>
          <dd>{status.lag_events === null ? "unknown" : `${status.lag_events.toLocaleString("en")} events`}</dd>
        </div>
        <div>
          <dt>Last verdict</dt>
          <dd>{status.judgement_age_s === null ? "none yet" : `${duration(status.judgement_age_s)} ago`}</dd>
        </div>
      </dl>
    </Panel>
  );
}
