/** One colour per route, the same in every chart and in both themes' contrast. */
const COUNT = 8;

/** The CSS variable of the n-th route in alphabetical order. */
export function seriesVariable(index: number): string {
  return `--series-${(index % COUNT) + 1}`;
}

/** The value of a CSS variable as it stands now. */
export function css(variable: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
}
