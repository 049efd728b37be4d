/** Numbers and times as people read them. */

export function percent(share: number, digits = share > 0 && share < 0.1 ? 1 : 0): string {
  return `${(share * 100).toFixed(digits)} %`;
}

/** Milliseconds: "0.8 ms", "42 ms", "1.24 s". */
export function milliseconds(ms: number): string {
  if (ms >= 10_000) return `${(ms / 1000).toFixed(1)} s`;
  if (ms >= 1_000) return `${(ms / 1000).toFixed(2)} s`;
  return ms < 10 && !Number.isInteger(ms) ? `${ms.toFixed(1)} ms` : `${Math.round(ms)} ms`;
}

export function rate(rps: number): string {
  if (rps >= 10_000) return `${(rps / 1000).toFixed(1)}k`;
  return rps >= 100 ? Math.round(rps).toLocaleString("en") : rps.toFixed(1);
}

/** A stretch of time: "8 s", "6 min 12 s", "2 h 5 min". */
export function duration(seconds: number): string {
  const s = Math.max(0, Math.round(seconds));
  if (s < 60) return `${s} s`;
  if (s < 3600) return s % 60 === 0 || s >= 600 ? `${Math.round(s / 60)} min` : `${Math.floor(s / 60)} min ${s % 60} s`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ${Math.round((s % 3600) / 60)} min`;
  return `${Math.floor(s / 86_400)} d ${Math.round((s % 86_400) / 3600)} h`;
}

/** A time as a distance from now: "just now", "4 min ago". */
export function ago(timeS: number, nowS: number): string {
  const s = nowS - timeS;
  if (s < 5) return "just now";
  if (s < 60) return `${Math.floor(s)} s ago`;
  if (s < 3600) return `${Math.floor(s / 60)} min ago`;
  if (s < 86_400) return `${Math.floor(s / 3600)} h ago`;
  return `${Math.floor(s / 86_400)} d ago`;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
export function clock(timeS: number): string {
  return CLOCK.format(timeS * 1000);
}

const DATE_CLOCK = new Intl.DateTimeFormat("en-GB", {
  day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", second: "2-digit",
});
export function dateClock(timeS: number): string {
  return DATE_CLOCK.format(timeS * 1000);
}

export function bytes(count: number): string {
  if (count < 1_000) return `${count} B`;
  return count < 1_000_000 ? `${(count / 1_000).toFixed(1)} kB` : `${(count / 1_000_000).toFixed(1)} MB`;
}
