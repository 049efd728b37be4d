/** How our charts look: uPlot options, the threshold line and the marks of alerts. */
import type { RefObject } from "react";
import uPlot from "uplot";
import { css } from "./colors";

export type Line = {
  label: string;
  variable: string;
  values: (number | null)[];
  dash?: boolean;
  fill?: boolean;
};
/** A moment worth a line: an alert that was raised. */
export type Mark = { t: number; tone: "bad" | "good" | "soft" };
type Live = {
  lines: Line[];
  format: (value: number) => string;
  topMin: number;
  top?: number;
  threshold?: number;
  marks?: readonly Mark[];
};

const SYNC = "foregate";

export function options(
  live: RefObject<Live>,
  width: number,
  height: number,
  onCursor: (index: number | null) => void,
): uPlot.Options {
  const soft = css("--text-soft");
  const grid = { stroke: css("--grid"), width: 1 };
  const font = `11px ${css("--sans")}`;
  return {
    width,
    height,
    padding: [8, 14, 0, 0],
    legend: { show: false },
    cursor: {
      sync: { key: SYNC, setSeries: false },
      drag: { x: false, y: false },
      points: { size: 6, width: 2 },
      y: false,
    },
    scales: {
      x: { time: true },
      y: { range: (_plot, _min, max) => [0, live.current.top ?? Math.max(live.current.topMin, (max ?? 0) * 1.12)] },
    },
    axes: [
      { stroke: soft, grid: { show: false }, ticks: { show: false }, font, size: 26, space: 64, values: timeLabels },
      {
        stroke: soft, grid, ticks: { show: false }, font, size: 54, gap: 4, space: 36,
        values: (_plot, splits) => splits.map((value) => live.current.format(value).replace(/\.0+(?= |$)/, "")),
      },
    ],
    series: [{}, ...live.current.lines.map((line) => series(line, live.current.lines.length))],
    hooks: {
      setCursor: [(plot) => onCursor(plot.cursor.left != null && plot.cursor.left >= 0 ? plot.cursor.idx ?? null : null)],
      draw: [(plot) => drawOver(plot, live.current)],
    },
  };
}

function series(line: Line, count: number): uPlot.Series {
  const color = css(line.variable);
  return {
    label: line.label,
    stroke: color,
    width: 1.75,
    spanGaps: false,
    points: { show: false },
    ...(line.dash ? { dash: [4, 4] } : {}),
    ...(line.fill && count === 1 ? { fill: `${color}22` } : {}),
  };
}

const HOUR_MINUTE = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
function timeLabels(_plot: uPlot, splits: number[]): string[] {
  const days = (splits.at(-1) ?? 0) - (splits[0] ?? 0) > 2 * 86_400;
  return splits.map((t) => (days ? DAY : HOUR_MINUTE).format(t * 1000));
}

function drawOver(plot: uPlot, live: Live): void {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  if (live.threshold !== undefined) {
    const y = Math.round(plot.valToPos(live.threshold, "y", true)) + 0.5;
    line(ctx, css("--bad"), ratio, [6 * ratio, 4 * ratio], bbox.left, y, bbox.left + bbox.width, y);
  }
  for (const mark of live.marks ?? []) {
    const x = Math.round(plot.valToPos(mark.t, "x", true)) + 0.5;
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const color = css(mark.tone === "bad" ? "--bad" : mark.tone === "good" ? "--good" : "--text-soft");
    line(ctx, color, ratio, [2 * ratio, 3 * ratio], x, bbox.top, x, bbox.top + bbox.height);
    flag(ctx, color, ratio, x, bbox.top);
  }
  ctx.restore();
}

function line(
  ctx: CanvasRenderingContext2D, color: string, ratio: number, dash: number[],
  x0: number, y0: number, x1: number, y1: number,
): void {
  ctx.strokeStyle = color;
  ctx.lineWidth = ratio;
  ctx.setLineDash(dash);
  ctx.beginPath();
  ctx.moveTo(x0, y0);
  ctx.lineTo(x1, y1);
  ctx.stroke();
}

function flag(ctx: CanvasRenderingContext2D, color: string, ratio: number, x: number, y: number): void {
  ctx.fillStyle = color;
  ctx.beginPath();
  ctx.moveTo(x - 5 * ratio, y);
  ctx.lineTo(x + 5 * ratio, y);
  ctx.lineTo(x, y + 7 * ratio);
  ctx.fill();
}
