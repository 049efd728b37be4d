/** A time chart by uPlot, with our legend: it shows the newest values, or those under the cursor of any chart. */
import { useEffect, useId, useRef, useState } from "react";
import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";
import { clock } from "../lib/format";
import { useTheme } from "../state/theme";
import { options, type Line, type Mark } from "./options";

export type ChartProps = {
  title: string;
  hint: string;
  times: number[];
  lines: Line[];
  format: (value: number) => string;
  /** Lower bound of the scale's top, so that noise near zero does not look like a mountain. */
  topMin: number;
  top?: number;
  threshold?: number;
  marks?: readonly Mark[];
  range: { from: number; to: number };
};

const HEIGHT_PX = 168;

export function Chart(props: ChartProps) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const live = useRef(props);
  live.current = props;
  const [index, setIndex] = useState<number | null>(null);
  const theme = useTheme();
  const titleId = useId();
  const shape = theme + props.lines.map((line) => line.label + line.variable).join();

  useEffect(() => {
    const node = box.current;
    if (!node) return;
    const made = new uPlot(options(live, node.clientWidth, HEIGHT_PX, setIndex), dataOf(live.current), node);
    plot.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: node.clientWidth, height: HEIGHT_PX }));
    observer.observe(node);
    return () => {
      observer.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [shape]);

  useEffect(() => {
    plot.current?.setData(dataOf(props), false);
    plot.current?.setScale("x", { min: props.range.from, max: props.range.to });
  }, [props.times, props.lines, props.range.from, props.range.to, shape]);

  const at = index !== null && index < props.times.length ? index : lastIndex(props);
  const time = at === null ? undefined : props.times[at];
  return (
    <figure className="chart" aria-labelledby={titleId}>
      <figcaption className="chart-head">
        <h3 id={titleId}>{props.title}</h3>
        <span className="chart-hint">{index !== null && time !== undefined ? clock(time) : props.hint}</span>
      </figcaption>
      <div ref={box} className="chart-plot" role="img" aria-label={summary(props)} />
      <ul className="legend">
        {props.lines.map((line) => (
          <li key={line.label}>
            <i style={{ background: `var(${line.variable})` }} className={line.dash ? "dashed" : undefined} />
            {line.label}
            <b>{valueText(props, line, at)}</b>
          </li>
        ))}
      </ul>
    </figure>
  );
}

function dataOf(props: ChartProps): uPlot.AlignedData {
  return [props.times, ...props.lines.map((line) => line.values)];
}

/** The newest moment at which any line has a value. */
function lastIndex(props: ChartProps): number | null {
  for (let i = props.times.length - 1; i >= 0; i--) {
    if (props.lines.some((line) => line.values[i] != null)) return i;
  }
  return null;
}

function valueText(props: ChartProps, line: Line, at: number | null): string {
  const value = at === null ? null : line.values[at];
  return value == null ? "–" : props.format(value);
}

/** What the chart says, for those who do not see it. */
function summary(props: ChartProps): string {
  const at = lastIndex(props);
  const values = props.lines.map((line) => `${line.label} ${valueText(props, line, at)}`);
  return `${props.title}: ${values.length > 0 ? values.join(", ") : "no data"}`;
}
