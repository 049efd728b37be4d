/** A titled box; what all panels share. */
import { useId, type ReactNode } from "react";

type Props = { title: string; note?: ReactNode; actions?: ReactNode; className?: string; children: ReactNode };

export function Panel({ title, note, actions, className = "", children }: Props) {
  const id = useId();
  return (
    <section className={`panel ${className}`} aria-labelledby={id}>
      <header className="panel-head">
        <h2 id={id}>{title}</h2>
        {note !== undefined && <span className="panel-note">{note}</span>}
        {actions}
      </header>
      {children}
    </section>
  );
}

type Tone = "bad" | "warn" | "good" | "info" | "soft";

export function Chip({ tone, children, title }: { tone: Tone; children: ReactNode; title?: string }) {
  return (
    <span className={`chip chip-${tone}`} title={title}>
      {children}
    </span>
  );
}

export function Empty({ children }: { children: ReactNode }) {
  return <p className="empty">{children}</p>;
}
