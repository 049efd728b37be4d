/** The page: header, numbers, what will fail next, why, the charts, and what is happening now. */
import { useEffect, useState } from "react";
import { Alerts } from "./panels/alerts";
import { Anomalies } from "./panels/anomalies";
import { Blocks } from "./panels/blocks";
import { Charts } from "./panels/charts";
import { Health } from "./panels/health";
import { Lab } from "./panels/lab";
import { Onboarding } from "./panels/onboarding";
import { Requests } from "./panels/requests";
import { RiskPanel } from "./panels/risks";
import { Tiles } from "./panels/tiles";
import { Topbar } from "./panels/topbar";
import { serverNow, start, useStore } from "./state/store";
import { useView } from "./state/url";

/** The server's time, ticking once a second. */
function useNow(): number {
  const [now, setNow] = useState(() => serverNow());
  useEffect(() => {
    const timer = setInterval(() => setNow(serverNow()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}

export function App() {
  useEffect(start, []);
  const state = useStore();
  const view = useView();
  const now = useNow();
  const open = state.alerts.filter((alert) => alert.state === "open").length;
  useEffect(() => {
    document.title = open > 0 ? `(${open}) foregate` : "foregate";
  }, [open]);
  const silent = state.traffic !== null && state.events.length === 0 && (state.traffic.series.get("")?.size ?? 0) === 0;
  return (
    <>
      <a className="skip" href="#main">
        Skip to content
      </a>
      <Topbar state={state} view={view} now={now} />
      <main id="main" className="page" tabIndex={-1}>
        <h1 className="hidden">What passes through the gateway, and what will fail next</h1>
        {silent && <Onboarding services={state.services} />}
        <Tiles state={state} />
        <div className="columns">
          <div className="column-main">
            <RiskPanel state={state} view={view} now={now} />
            <Charts state={state} view={view} />
            <Requests state={state} view={view} />
          </div>
          <aside className="column-side" aria-label="Findings and controls">
            <Alerts alerts={state.alerts} known={state.status !== null} now={now} />
            <Anomalies anomalies={state.anomalies} now={now} />
            <Blocks now={now} />
            {state.status?.has_lab && <Lab faults={state.faults} now={now} />}
            <Health status={state.status} now={now} />
          </aside>
        </div>
      </main>
    </>
  );
}
