"""Numbers as Prometheus reads them (text exposition format 0.0.4), and as points of OpenTelemetry."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from foregate.wire.point import Point

_ESCAPES = str.maketrans({"\\": "\\\\", "\n": "\\n", '"': '\\"'})


class Sample(NamedTuple):
    """`suffix`: of a histogram ("_bucket", "_count", "_sum"), else ""."""

    value: float
    labels: Mapping[str, str] = {}
    suffix: str = ""


class Family(NamedTuple):
    """`text`: what it means, for people."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    text: str
    samples: list[Sample]


def gauge(name: str, text: str, *samples: Sample) -> Family:
    return Family(name, "gauge", text, list(samples))


def counter(name: str, text: str, *samples: Sample) -> Family:
    return Family(name, "counter", text, list(samples))


def histogram(name: str, text: str, bounds: tuple[float, ...], counts: list[float], total: float) -> Family:
    """`counts`: of each bound (upper, inclusive), and of what is beyond; not cumulative. `total`: the sum of values."""
    samples, running = [], 0.0
    for bound, count in zip((*bounds, float("inf")), counts, strict=True):
        running += count
        samples.append(Sample(running, {"le": "+Inf" if bound == float("inf") else f"{bound:g}"}, "_bucket"))
    return Family(name, "histogram", text, [*samples, Sample(total, {}, "_sum"), Sample(running, {}, "_count")])


def render(families: Iterable[Family]) -> str:
    """The page."""
    lines: list[str] = []
    for family in families:
        lines += (f"# HELP {family.name} {family.text}", f"# TYPE {family.name} {family.kind}")
        for value, labels, suffix in family.samples:
            told = ",".join(f'{name}="{text.translate(_ESCAPES)}"' for name, text in labels.items())
            lines.append(
                f"{family.name}{suffix}{{{told}}} {value:.17g}" if told else f"{family.name}{suffix} {value:.17g}"
            )
    return "\n".join(lines) + "\n"


def points(families: Iterable[Family], org: str, environment: str, instance: str, now_s: float) -> Iterator[Point]:
    """The same numbers; a histogram is one point."""
    for family in families:
        if family.kind == "histogram":
            yield _histogram(family, org, environment, instance, now_s)
            continue
        for value, labels, _ in family.samples:
            yield Point(
                org,
                environment,
                "foregate",
                family.name,
                "gauge" if family.kind == "gauge" else "sum",
                now_s,
                value,
                monotonic=family.kind == "counter",
                instance=instance,
                source="gateway",
                attributes=dict(labels),
            )


def _histogram(family: Family, org: str, environment: str, instance: str, now_s: float) -> Point:
    cumulative = [int(sample.value) for sample in family.samples if sample.suffix == "_bucket"]
    bounds = [float(sample.labels["le"]) for sample in family.samples if sample.suffix == "_bucket"]
    counts = [each - before for each, before in zip(cumulative, [0, *cumulative], strict=False)]
    return Point(
        org,
        environment,
        "foregate",
        family.name,
        "histogram",
        now_s,
        next(sample.value for sample in family.samples if sample.suffix == "_sum"),
        unit="s",
        count=cumulative[-1],
        bounds=tuple(bounds[:-1]),
        buckets=tuple(counts),
        instance=instance,
        source="gateway",
    )
