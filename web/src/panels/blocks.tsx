/** Who is blocked for abuse, or would be, and why; with a way to let them in again. Not there while nobody is. */
import { useCallback, useEffect, useState } from "react";
import { ApiError, get, remove } from "../api/client";
import type { BlockOut, Blocks as Answer } from "../api/types";
import { duration } from "../lib/format";
import { Chip, Panel } from "./panel";

const SHOWN_MAX = 8;
const REFRESH_MS = 3_000;
const RULE: Record<string, string> = {
  credential_stuffing: "sign-ins",
  sweep: "sweep",
  enumeration: "enumeration",
  errors: "errors",
  rate: "rate",
  manual: "by hand",
};

export function Blocks({ now }: { now: number }) {
  const [blocks, setBlocks] = useState<readonly BlockOut[]>([]);
  const [trouble, setTrouble] = useState("");
  const load = useCallback(async () => {
    try {
      setBlocks((await get<Answer>("/blocks")).blocks);
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return false; // no gateway beside this console
    }
    return true; // else the loss of connection is shown elsewhere
  }, []);
  useEffect(() => {
    const timer = window.setInterval(refresh, REFRESH_MS);
    function refresh() {
      void load().then((known) => known || clearInterval(timer));
    }
    refresh();
    return () => clearInterval(timer);
  }, [load]);
  const undo = (block: BlockOut) => {
    setTrouble("");
    remove(`/blocks/${encodeURIComponent(block.id)}`)
      .then(() => setBlocks((before) => before.filter((one) => one.id !== block.id)))
      .catch((error: unknown) => setTrouble(error instanceof ApiError ? error.message : "The console does not answer."));
  };
  const present = blocks.filter((block) => block.until_s > now);
  if (present.length === 0) return null;
  return (
    <Panel title="Blocked" note={present.every((block) => block.effect === "observe") ? "observed only" : undefined}>
      {trouble && (
        <p className="trouble" role="alert">
          {trouble}
        </p>
      )}
      <ul className="anomalies blocks">
        {present.slice(0, SHOWN_MAX).map((block) => (
          <Row key={block.id} block={block} now={now} onUndo={() => undo(block)} />
        ))}
      </ul>
      {present.length > SHOWN_MAX && <p className="empty">and {present.length - SHOWN_MAX} more</p>}
    </Panel>
  );
}

function Row({ block, now, onUndo }: { block: BlockOut; now: number; onUndo: () => void }) {
  const observed = block.effect === "observe";
  return (
    <li>
      <div className="anomaly-head">
        <Chip tone={observed ? "warn" : "bad"}>{RULE[block.rule] ?? block.rule}</Chip>
        <b>{block.subject.replace(/^ip:/, "")}</b>
        <span className="soft">
          {observed ? "would be for " : ""}
          {duration(block.until_s - now)} more
        </span>
      </div>
      <p>{block.reason}</p>
      <p className="block-foot">
        <span className="soft">{block.times > 1 ? `${block.times} times within a day` : ""}</span>
        <button type="button" className="button button-small" onClick={onUndo} aria-label={`Let ${block.subject} in again`}>
          {observed ? "Leave alone" : "Let in"}
        </button>
      </p>
    </li>
  );
}
