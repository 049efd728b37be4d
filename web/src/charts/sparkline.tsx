/** A small line without axes, drawn as SVG; decoration beside a number that says the same. */
type Props = {
  values: readonly (number | null)[];
  top: number;
  variable: string;
  threshold?: number;
  width?: number;
  height?: number;
};

export function Sparkline({ values, top, variable, threshold, width = 120, height = 32 }: Props) {
  const y = (value: number) => height - 2 - (Math.min(value, top) / top) * (height - 4);
  const step = values.length > 1 ? width / (values.length - 1) : width;
  let path = "";
  let pen = "M";
  values.forEach((value, i) => {
    if (value === null) pen = "M";
    else {
      path += `${pen}${(i * step).toFixed(1)} ${y(value).toFixed(1)}`;
      pen = "L";
    }
  });
  return (
    <svg className="sparkline" viewBox={`0 0 ${width} ${height}`} preserveAspectRatio="none" aria-hidden="true">
      {threshold !== undefined && (
        <line x1="0" x2={width} y1={y(threshold)} y2={y(threshold)} className="sparkline-threshold" />
      )}
      <path d={path} stroke={`var(${variable})`} />
    </svg>
  );
}
