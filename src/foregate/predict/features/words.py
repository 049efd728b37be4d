"""Numbers as people read them."""


def zero(value: float) -> float:
    """A number that counts as 0 where it is not known."""
    return float(value) if value == value else 0.0


def ms(value: float) -> str:
    """A duration given in milliseconds: "7.5 ms", "480 ms", "2.4 s"."""
    if value >= 1000:
        return f"{value / 1000:.1f} s"
    return f"{value:.0f} ms" if value >= 10 else f"{value:.1f} ms"


def percent(share: float) -> str:
    """A share of 1: "0.4 %", "12 %"."""
    return f"{share * 100:.0f} %" if share >= 0.0995 else f"{share * 100:.1f} %"


def rate(per_s: float) -> str:
    return f"{per_s:.0f} req/s" if per_s >= 10 else f"{per_s:.1f} req/s"


def count(number: float) -> str:
    """A mean count: "12", "1.4", "0.03"."""
    return f"{number:.0f}" if number >= 10 else f"{number:.1f}" if number >= 1 else f"{number:.2f}"


def times(ratio: float) -> str:
    """A ratio to the usual level: "3.2×", "0.4×"."""
    return f"{ratio:.0f}×" if ratio >= 9.95 else f"{ratio:.1f}×"


def minutes(count: float) -> str:
    whole = max(1, round(count))
    return "1 minute" if whole == 1 else f"{whole} minutes"


def ahead(count: float) -> str:
    """How far off something is, given in minutes: "21 minutes", "5 hours", "3 days"."""
    if count < 119.5:
        return minutes(count)
    return f"{count / 60:.0f} hours" if count < 47.5 * 60 else f"{count / 1_440:.0f} days"


def against_usual(what: str, value: str, ratio: float, usual: str) -> str:
    """E.g. "p95 latency is 480 ms, 3.2× its usual 150 ms", or "… , near its usual 150 ms"."""
    if 0.87 <= ratio <= 1.15:
        return f"{what} is {value}, near its usual {usual}"
    return f"{what} is {value}, {times(ratio)} its usual {usual}"
