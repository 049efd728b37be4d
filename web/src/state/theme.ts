/** Light or dark: the system's preference until somebody chooses. */
import { useSyncExternalStore } from "react";

export type Theme = "light" | "dark";

const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();
system.addEventListener("change", tell);

function tell() {
  for (const listener of listeners) listener();
}

export function getTheme(): Theme {
  const chosen = document.documentElement.dataset.theme;
  return chosen === "light" || chosen === "dark" ? chosen : system.matches ? "dark" : "light";
}

export function toggleTheme(): void {
  const next = getTheme() === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem("foregate.theme", next);
  } catch {
    // Storage is forbidden here: the choice lasts until the page is left.
  }
  tell();
}

export function useTheme(): Theme {
  return useSyncExternalStore((listener) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  }, getTheme);
}
