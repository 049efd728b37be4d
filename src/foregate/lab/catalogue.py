"""What can go wrong here, and what only looks like it: the kinds of fault, in words for people."""

from dataclasses import dataclass

EVERYWHERE = ("payments", "search", "users", "orders", "ai")


@dataclass(frozen=True)
class Kind:
    """`gradual`: it grows before it fails. `foreseeable`: there is something to see. `benign`: it never fails."""

    name: str
    title: str
    description: str
    gradual: bool
    foreseeable: bool
    benign: bool = False
    services: tuple[str, ...] = EVERYWHERE


_ALL = (
    Kind("memory_leak", "Memory leak",
         "Each request leaves some memory behind. Garbage collection pauses grow until the heap is full.", True, True),
    Kind("pool_exhaustion", "Connection pool leak",
         "Some requests forget to return their database connection. Callers wait for the few that are left.", True,
         True, services=("payments", "search", "users", "orders")),
    Kind("load_ramp", "Load ramp",
         "Traffic to the service grows steadily until it exceeds what the service was sized for.", True, True),
    Kind("brownout", "Brownout of a dependency",
         "What the service depends on answers more and more slowly; its callers' seats fill up.", True, True),
    Kind("retry_storm", "Retry storm",
         "A client release that repeats slow and failed calls at once spreads; every repetition adds load.", True,
         True),
    Kind("quota_exhaustion", "Quota exhaustion",
         "A runaway job spends the provider's hourly quota. The provider paces callers, then refuses them.", True,
         True, services=("payments", "ai")),
    Kind("crash", "Crash", "The process dies; nobody listens until it is started again.", False, False),
    Kind("bad_deploy", "Bad deploy", "A new version is slower and answers a share of requests with errors.", False,
         False),
    Kind("certificate", "Expired certificate",
         "The service's certificate expires at a known time; from then on no connection to it is made.", False, True),
    Kind("batch_job", "Batch job", "A nightly job takes some connections and slows queries; capacity holds.", True,
         False, benign=True, services=("payments", "search", "users", "orders")),
    Kind("flash_crowd", "Flash crowd", "Traffic to the service doubles for some minutes; capacity holds.", False,
         False, benign=True),
    Kind("blip", "Short blip", "A dependency is slow for some seconds.", False, False, benign=True),
    Kind("slow_dependency", "Slow but stable dependency",
         "A dependency becomes slower and stays so; nothing fails.", False, False, benign=True),
)  # fmt: skip

KINDS: dict[str, Kind] = {kind.name: kind for kind in _ALL}
