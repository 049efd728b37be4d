/** The view's state lives in the URL: a link shows another person the same view. */
import { useSyncExternalStore } from "react";

export const RANGES = [
  { id: "5m", seconds: 300, span: 10, label: "5 minutes" },
  { id: "15m", seconds: 900, span: 10, label: "15 minutes" },
  { id: "1h", seconds: 3_600, span: 10, label: "1 hour" },
  { id: "6h", seconds: 21_600, span: 60, label: "6 hours" },
  { id: "24h", seconds: 86_400, span: 300, label: "24 hours" },
  { id: "7d", seconds: 604_800, span: 900, label: "7 days" },
] as const;
export type Range = (typeof RANGES)[number];

export type View = {
  range: Range;
  /** `service route` of the chosen route; empty for all. */
  route: string;
  /** Show only failed requests in the live tail. */
  failedOnly: boolean;
};

const listeners = new Set<() => void>();
let current = read();

function read(): View {
  const query = new URLSearchParams(location.search);
  return {
    range: RANGES.find((range) => range.id === query.get("range")) ?? RANGES[1],
    route: query.get("route") ?? "",
    failedOnly: query.get("requests") === "failed",
  };
}

/** Change the view; it becomes a step that the browser's Back button undoes. */
export function setView(change: Partial<View>): void {
  current = { ...current, ...change };
  const query = new URLSearchParams();
  if (current.range.id !== "15m") query.set("range", current.range.id);
  if (current.route) query.set("route", current.route);
  if (current.failedOnly) query.set("requests", "failed");
  history.pushState(null, "", query.size > 0 ? `?${query}` : location.pathname);
  for (const listener of listeners) listener();
}

export function getView(): View {
  return current;
}

export function onView(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function useView(): View {
  return useSyncExternalStore(onView, getView);
}

window.addEventListener("popstate", () => {
  current = read();
  for (const listener of listeners) listener();
});
