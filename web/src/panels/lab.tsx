/** The lab's switches: break something on purpose and watch whether it is foreseen. */
import { useState } from "react";
import { ApiError, post, remove } from "../api/client";
import type { ActiveFault, FaultCommand, FaultKind, LabFaults } from "../api/types";
import { duration } from "../lib/format";
import { Chip, Empty, Panel } from "./panel";

export function Lab({ faults, now }: { faults: LabFaults | null; now: number }) {
  const [trouble, setTrouble] = useState("");
  const act = (work: Promise<unknown>) => {
    setTrouble("");
    work.catch((error: unknown) => setTrouble(error instanceof ApiError ? error.message : "The console does not answer."));
  };
  return (
    <Panel title="Lab" note="break something on purpose" className="panel-lab">
      {!faults && <Empty>The lab has not answered yet.</Empty>}
      {trouble && <p className="trouble" role="alert">{trouble}</p>}
      {faults && (
        <>
          <ul className="faults-active" aria-live="polite">
            {faults.active.map((fault) => (
              <Active
                key={fault.id}
                fault={fault}
                title={titleOf(faults, fault.kind)}
                now={now}
                onStop={() => act(remove(`/lab/faults/${encodeURIComponent(fault.id)}`))}
              />
            ))}
          </ul>
          <Starter kinds={faults.kinds} onStart={(command) => act(post("/lab/faults", command))} />
          {faults.schedule.length > 0 && <Schedule faults={faults} now={now} />}
        </>
      )}
    </Panel>
  );
}

function foresight(kind: FaultKind): string {
  if (kind.benign) return "only looks like a fault";
  return kind.foreseeable ? "foreseeable" : "hardly foreseeable";
}

function titleOf(faults: LabFaults, kind: string): string {
  return faults.kinds.find((one) => one.kind === kind)?.title ?? kind;
}

type ActiveProps = { fault: ActiveFault; title: string; now: number; onStop: () => void };

function Active({ fault, title, now, onStop }: ActiveProps) {
  const left = `${duration(fault.ends_s - now)} left${fault.by === "script" ? " · by the demo’s script" : ""}`;
  return (
    <li>
      <span>
        <b>{title}</b> in {fault.service}
        <span className="soft">on for {duration(now - fault.started_s)} · {left}</span>
      </span>
      <button type="button" className="button button-small" onClick={onStop} aria-label={`Switch off ${title} in ${fault.service}`}>
        Stop
      </button>
    </li>
  );
}

const PACES = [
  { severity: 0.2, label: "slowly" },
  { severity: 0.7, label: "steadily" },
  { severity: 1, label: "quickly" },
];

type StarterProps = { kinds: readonly FaultKind[]; onStart: (command: FaultCommand) => void };

function Starter({ kinds, onStart }: StarterProps) {
  const [chosen, setChosen] = useState(kinds[0]?.kind ?? "");
  const [wanted, setWanted] = useState("payments");
  const [severity, setSeverity] = useState(0.7);
  const kind = kinds.find((one) => one.kind === chosen) ?? kinds[0];
  if (!kind) return <Empty>This lab knows no faults.</Empty>;
  const service = kind.services.includes(wanted) ? wanted : (kind.services[0] ?? "");
  return (
    <form
      className="starter"
      onSubmit={(event) => {
        event.preventDefault();
        onStart({ kind: kind.kind, service, severity });
      }}
    >
      <fieldset className="fault-kinds">
        <legend className="hidden">Kind of fault</legend>
        {kinds.map((one) => (
          <label key={one.kind} className={one.kind === kind.kind ? "chosen" : ""}>
            <input type="radio" name="kind" value={one.kind} checked={one.kind === kind.kind} onChange={() => setChosen(one.kind)} />
            {one.title}
          </label>
        ))}
      </fieldset>
      <p className="fault-about">
        <Chip tone={kind.gradual ? "info" : "warn"}>{kind.gradual ? "gradual" : "sudden"}</Chip>{" "}
        <Chip tone={kind.foreseeable && !kind.benign ? "good" : "soft"}>{foresight(kind)}</Chip>
        <span>{kind.description}</span>
      </p>
      <div className="starter-line">
        <label className="select">
          <span className="hidden">Service to break</span>
          <select value={service} onChange={(event) => setWanted(event.target.value)}>
            {kind.services.map((one) => (
              <option key={one}>{one}</option>
            ))}
          </select>
        </label>
        {kind.gradual && (
          <label className="select">
            <span className="hidden">How fast it grows</span>
            <select value={severity} onChange={(event) => setSeverity(Number(event.target.value))}>
              {PACES.map((pace) => (
                <option key={pace.severity} value={pace.severity}>
                  {pace.label}
                </option>
              ))}
            </select>
          </label>
        )}
        <button type="submit" className="button button-primary" aria-label={`Start ${kind.title.toLowerCase()} in ${service}`}>
          Start
        </button>
      </div>
    </form>
  );
}

function Schedule({ faults, now }: { faults: LabFaults; now: number }) {
  const next = faults.schedule.find((one) => one.starts_s > now);
  if (!next) return null;
  return (
    <p className="empty">
      The demo’s script starts {titleOf(faults, next.kind).toLowerCase()} in {next.service} in {duration(next.starts_s - now)}.
    </p>
  );
}
