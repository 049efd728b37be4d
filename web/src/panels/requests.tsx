/** The newest requests as they finish. Holds still while somebody reads it (pointer or focus inside). */
import { memo, useRef, useState } from "react";
import type { EventOut } from "../api/types";
import { clock, milliseconds } from "../lib/format";
import { keyOf } from "../state/series";
import type { State } from "../state/store";
import { setView, type View } from "../state/url";
import { Empty, Panel } from "./panel";

const ROWS_MAX = 40;

export const Requests = memo(function Requests({ state, view }: { state: State; view: View }) {
  const [held, setHeld] = useState(false);
  const shown = useRef<EventOut[]>([]);
  const key = `${view.route}|${view.failedOnly}`;
  const shownKey = useRef(key);
  if (!held || shownKey.current !== key || shown.current.length === 0) {
    shown.current = filter(state.events, view).slice(0, ROWS_MAX);
    shownKey.current = key;
  }
  return (
    <Panel
      title="Requests"
      className="panel-requests"
      note={held ? "held while you read" : view.route || "all routes, newest first"}
      actions={
        <label className="check">
          <input
            type="checkbox"
            checked={view.failedOnly}
            onChange={(event) => setView({ failedOnly: event.target.checked })}
          />
          Failed only
        </label>
      }
    >
      {shown.current.length === 0 ? (
        <Empty>{state.events.length === 0 ? "No request has come through yet." : "No request here matches."}</Empty>
      ) : (
        <div
          className="table-box"
          tabIndex={0}
          role="region"
          aria-label="Recent requests"
          onPointerEnter={() => setHeld(true)}
          onPointerLeave={() => setHeld(false)}
          onFocus={() => setHeld(true)}
          onBlur={() => setHeld(false)}
        >
          <table>
            <thead>
              <tr>
                <th scope="col">Time</th>
                <th scope="col">Request</th>
                <th scope="col">Status</th>
                <th scope="col" className="number">Latency</th>
                <th scope="col" className="wide">Key</th>
                <th scope="col" className="wide">What happened</th>
              </tr>
            </thead>
            <tbody>
              {shown.current.map((event) => (
                <RequestRow key={event.request_id + event.time_s} event={event} />
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Panel>
  );
});

function filter(events: readonly EventOut[], view: View): EventOut[] {
  return events.filter(
    (event) => (!view.route || keyOf(event.entity) === view.route) && (!view.failedOnly || event.status >= 500),
  );
}

const RequestRow = memo(function RequestRow({ event }: { event: EventOut }) {
  return (
    <tr title={`request ${event.request_id}`}>
      <td className="soft">{clock(event.time_s)}</td>
      <td>
        <span className="method">{event.method}</span> {keyOf(event.entity)}
      </td>
      <td>
        <span className={`status status-${Math.floor(event.status / 100)}`}>{event.status}</span>
      </td>
      <td className="number">{milliseconds(event.latency_ms)}</td>
      <td className="wide soft">{event.key_id || "–"}</td>
      <td className="wide soft">{remark(event)}</td>
    </tr>
  );
});

/** What was special about it, in words; empty for an ordinary request. */
function remark(event: EventOut): string {
  const said: string[] = [];
  if (event.limit === "refused") said.push("over its rate limit");
  if (event.breaker === "open") said.push("circuit open");
  if (event.attempts > 1) said.push(`${event.attempts} attempts`);
  if (event.error && event.error !== "rate_limited" && event.error !== "circuit_open") {
    said.push(event.error.replaceAll("_", " "));
  }
  return said.join(" · ");
}
