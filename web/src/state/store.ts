/** What the page knows, in one immutable value; filled by GETs at first, by the live stream from then on. */
import { useSyncExternalStore } from "react";
import { get } from "../api/client";
import { listen } from "../api/live";
import type {
  AlertOut, AnomalyOut, EventOut, LabFaults, Metrics, Point, RiskHistory, Risks, Services, Status,
} from "../api/types";
import { merge, mergeScores, scoresOf, trafficOf, type Scores, type Traffic } from "./series";
import { getView, onView } from "./url";

export type State = {
  connection: "connecting" | "live" | "lost";
  /** Seconds to add to this machine's clock to get the server's. */
  skewS: number;
  heardMs: number;
  status: Status | null;
  services: Services | null;
  traffic: Traffic | null;
  /** All requests of the last minute. */
  now: Point | null;
  risks: Risks | null;
  scores: Scores;
  alerts: readonly AlertOut[];
  anomalies: readonly AnomalyOut[];
  faults: LabFaults | null;
  events: readonly EventOut[];
};

const EVENTS_MAX = 200; // of the live tail; the oldest go
const REFRESH_MS = 15_000; // how often long ranges, which the stream does not carry, are asked for again
const BATCH_MS = 40; // messages that come together are shown together

let state: State = {
  connection: "connecting", skewS: 0, heardMs: Date.now(), status: null, services: null, traffic: null, now: null,
  risks: null, scores: new Map(), alerts: [], anomalies: [], faults: null, events: [],
};
const listeners = new Set<() => void>();
let pending: number | undefined;
let shown = state; // what subscribers see: changes only when they are told

function set(change: Partial<State>): void {
  state = { ...state, ...change };
  pending ??= window.setTimeout(() => {
    pending = undefined;
    shown = state;
    for (const listener of listeners) listener();
  }, BATCH_MS);
}

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useStore(): State {
  return useSyncExternalStore(subscribe, () => shown);
}

export function serverNow(of: State = state): number {
  return Date.now() / 1000 + of.skewS;
}

let asked = 0;
async function loadRange(): Promise<void> {
  const ticket = ++asked;
  const { range } = getView();
  const [metrics, history] = await Promise.all([
    get<Metrics>("/metrics", { range_s: range.seconds, span_s: range.span }),
    get<RiskHistory>("/risks/history", { range_s: range.seconds }),
  ]);
  if (ticket === asked) set({ traffic: trafficOf(metrics), scores: scoresOf(history) });
}

async function loadRest(): Promise<void> {
  const [services, events] = await Promise.all([
    get<Services>("/services"),
    get<{ events: EventOut[] }>("/events", { limit: 60 }),
  ]);
  set({ services, events: newest([...events.events, ...state.events]) });
}

/** Each event once, newest first, bounded: batches of several gateway workers come in any order. */
function newest(events: readonly EventOut[]): EventOut[] {
  const once = new Map(events.map((event) => [`${event.request_id} ${event.time_s}`, event]));
  return [...once.values()].sort((a, b) => b.time_s - a.time_s).slice(0, EVENTS_MAX);
}

function onMetrics(metrics: Metrics): void {
  const { traffic } = state;
  const live = traffic !== null && traffic.span === metrics.span_s;
  set({
    now: metrics.summary,
    ...(live ? { traffic: merge(traffic, metrics, metrics.now_s - getView().range.seconds) } : {}),
  });
}

function onRisks(risks: Risks): void {
  set({ risks, scores: mergeScores(state.scores, risks, risks.now_s - getView().range.seconds) });
}

/** Fetch quietly: a loss of connection is shown by the live stream's own state. */
function quietly(work: Promise<void>): void {
  work.catch((error: unknown) => console.warn("foregate:", error));
}

/** Begin to fill the store. Returns how to stop. */
export function start(): () => void {
  const stopListening = listen(
    {
      status: (status) =>
        set({ status, heardMs: Date.now(), skewS: status.now_s - Date.now() / 1000, connection: "live" }),
      metrics: onMetrics,
      risks: onRisks,
      alerts: (alerts) => set({ alerts: alerts.alerts }),
      anomalies: (anomalies) => set({ anomalies: anomalies.anomalies }),
      faults: (faults) => set({ faults }),
      events: (events) => set({ events: newest([...events.events, ...state.events]) }),
    },
    (connected) => {
      set({ connection: connected ? "live" : "lost" });
      if (connected) quietly(Promise.all([loadRange(), loadRest()]).then(() => undefined));
      else quietly(get<Status>("/status").then(() => undefined)); // leaves for the sign-in page if the session is over
    },
  );
  let rangeId = getView().range.id;
  const stopViewing = onView(() => {
    if (rangeId === getView().range.id) return;
    rangeId = getView().range.id;
    quietly(loadRange());
  });
  const timer = window.setInterval(() => {
    if (getView().range.span !== 10 && state.connection === "live") quietly(loadRange());
  }, REFRESH_MS);
  return () => {
    stopListening();
    stopViewing();
    clearInterval(timer);
  };
}
