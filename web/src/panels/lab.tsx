/** The lab's switches: break something on purpose and watch whether it is foreseen. */
import { useState } from "react";
import { ApiError, post, remove } from "../api/client";
import type { ActiveFault, FaultKind, LabFaults } from "../api/types";
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
          <Starter kinds={faults.kinds} onStart={(kind, service) => act(post("/lab/faults", { kind, service }))} />
          {faults.scheduled.length > 0 && <Schedule faults={faults} now={now} />}
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
  const left = fault.ends_s === null ? "until switched off" : `${duration(fault.ends_s - now)} left`;
  return (
    <li>
      <span>
        <b>{title}</b> in {fault.service}
        <span className="soft"> on for {duration(now - fault.started_s)} · {left}</span>
      </span>
      <button type="button" className="button button-small" onClick={onStop} aria-label={`Switch off ${title} in ${fault.service}`}>
        Stop
      </button>
    </li>
  );
}

function Starter({ kinds, onStart }: { kinds: readonly FaultKind[]; onStart: (kind: string, service: string) => void }) {
  const [chosen, setChosen] = useState(kinds[0]?.kind ?? "");
  const [wanted, setWanted] = useState("payments");
  const kind = kinds.find((one) => one.kind === chosen) ?? kinds[0];
  if (!kind) return <Empty>This lab knows no faults.</Empty>;
  const service = kind.services.includes(wanted) ? wanted : (kind.services[0] ?? "");
  return (
    <form
      className="starter"
      onSubmit={(event) => {
        event.preventDefault();
        onStart(kind.kind, service);
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
        <button type="submit" className="button button-primary">
          Start {kind.title.toLowerCase()}
        </button>
      </div>
    </form>
  );
}

function Schedule({ faults, now }: { faults: LabFaults; now: number }) {
  const next = [...faults.scheduled].filter((one) => one.started_s > now).sort((a, b) => a.started_s - b.started_s)[0];
  if (!next) return null;
  return (
    <p className="empty">
      The demo’s script starts {titleOf(faults, next.kind).toLowerCase()} in {next.service} in {duration(next.started_s - now)}.
    </p>
  );
}
