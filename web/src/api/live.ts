/** The live stream: one EventSource for the page, told apart by event name, back again after any break. */
import type { Alerts, Anomalies, Events, LabFaults, Metrics, Risks, Status } from "./types";

export type LiveMessages = {
  status: Status;
  metrics: Metrics;
  risks: Risks;
  alerts: Alerts;
  anomalies: Anomalies;
  faults: LabFaults;
  events: Events;
};
type Handlers = { [Name in keyof LiveMessages]: (message: LiveMessages[Name]) => void };

const NAMES: (keyof LiveMessages)[] = ["status", "metrics", "risks", "alerts", "anomalies", "faults", "events"];
const SILENCE_MS = 12_000; // the server says something at least every 10 s
const WAIT_MS_FIRST = 1_000;
const WAIT_MS_MAX = 15_000;

/** Listen until the returned function is called. `onState(true)` after each (re)connection, `onState(false)` at a loss. */
export function listen(handlers: Handlers, onState: (connected: boolean) => void): () => void {
  let source: EventSource | undefined;
  let timer: number | undefined;
  let waitMs = WAIT_MS_FIRST;
  let stopped = false;

  function watch() {
    clearTimeout(timer);
    timer = window.setTimeout(again, SILENCE_MS);
  }
  function again() {
    source?.close();
    clearTimeout(timer);
    if (stopped) return;
    onState(false);
    timer = window.setTimeout(connect, waitMs);
    waitMs = Math.min(waitMs * 2, WAIT_MS_MAX);
  }
  function connect() {
    source = new EventSource("/api/v1/live");
    source.onopen = () => {
      waitMs = WAIT_MS_FIRST;
      onState(true);
      watch();
    };
    source.onerror = again;
    for (const name of NAMES) {
      source.addEventListener(name, (event) => {
        watch();
        (handlers[name] as (message: unknown) => void)(JSON.parse((event as MessageEvent<string>).data));
      });
    }
    source.addEventListener("dropped", again);
    source.addEventListener("closing", again);
    watch();
  }
  connect();
  return () => {
    stopped = true;
    clearTimeout(timer);
    source?.close();
  };
}
