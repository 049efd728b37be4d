/** Name, environment, whether what is shown is live, the time range, the theme. */
import type { State } from "../state/store";
import { toggleTheme, useTheme } from "../state/theme";
import { RANGES, setView, type View } from "../state/url";
import { ago } from "../lib/format";

const SILENT_MS = 5_000;

export function Topbar({ state, view, now }: { state: State; view: View; now: number }) {
  const theme = useTheme();
  return (
    <header className="topbar">
      <div className="brand">
        <img src="/favicon.svg" width="24" height="24" alt="" />
        <span className="brand-name">foregate</span>
        {state.status && <span className="env">{state.status.environment}</span>}
      </div>
      <Liveness state={state} now={now} />
      <div className="segments" role="group" aria-label="Time range">
        {RANGES.map((range) => (
          <button
            key={range.id}
            type="button"
            aria-pressed={range.id === view.range.id}
            aria-label={`${range.id}, last ${range.label}`}
            onClick={() => setView({ range })}
          >
            {range.id}
          </button>
        ))}
      </div>
      <button
        type="button"
        className="icon-button"
        onClick={toggleTheme}
        aria-label={theme === "dark" ? "Switch to the light theme" : "Switch to the dark theme"}
      >
        {theme === "dark" ? <Sun /> : <Moon />}
      </button>
      <form method="post" action="/logout">
        <button type="submit" className="quiet-button">
          Sign out
        </button>
      </form>
    </header>
  );
}

/** Says plainly when the page, or the predictor behind it, has fallen silent. */
function Liveness({ state, now }: { state: State; now: number }) {
  const silent = now - state.skewS - state.heardMs / 1000 > SILENT_MS / 1000;
  let tone = "live";
  let text = "Live";
  if (state.status === null && state.connection === "connecting") [tone, text] = ["wait", "Connecting…"];
  else if (state.connection === "lost" || silent) {
    tone = "lost";
    text = `Connection lost · data from ${ago(state.heardMs / 1000 + state.skewS, now)}`;
  } else if (state.status?.judgement_stale && state.risks && state.risks.risks.length > 0) {
    [tone, text] = ["stale", "Live · scores are stale"];
  }
  return (
    <div className={`liveness liveness-${tone}`} role="status">
      <i />
      {text}
    </div>
  );
}

function Sun() {
  return (
    <svg viewBox="0 0 20 20" aria-hidden="true">
      <circle cx="10" cy="10" r="3.6" />
      <path d="M10 1.8v2.4M10 15.8v2.4M1.8 10h2.4M15.8 10h2.4M4.2 4.2l1.7 1.7M14.1 14.1l1.7 1.7M4.2 15.8l1.7-1.7M14.1 5.9l1.7-1.7" />
    </svg>
  );
}

function Moon() {
  return (
    <svg viewBox="0 0 20 20" aria-hidden="true">
      <path d="M16.5 11.8A7 7 0 0 1 8.2 3.5a7 7 0 1 0 8.3 8.3Z" />
    </svg>
  );
}
