"""What each cell of a named block of shared numbers means (`ports.blocks`): the gateway's metrics.

A worker claims one block per route, service, target and error code, and one of its own. Names keep their blocks over
reloads and restarts, so nothing here depends on a place in the configuration.
"""

# Upper bounds in seconds, as OpenTelemetry advises for http.server.request.duration; the last bucket is unbounded.
# A duration's bucket is `bisect_left(DURATION_BOUNDS_S, seconds)`.
DURATION_BOUNDS_S = (0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0)
STATUS_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")

# within the worker's block
EVENTS_SHED = 0
CONNECTIONS = 1
CONFIG_VERSION = 2  # the first 12 hex digits of the snapshot's version, as a number (48 bits: exact in a float64)
RELOADS = 3
RELOADS_FAILED = 4
HELD_BYTES = 5  # of bodies that policies read whole
HELD_REFUSED = 6  # pieces of them for which there was no room
ACCEPT_PAUSES = 7  # for want of descriptors
BLOCKS = 8  # in force, of addresses and keys
WORKER_CELLS = 9

# within a route's
CLASSES = 0
BUCKETS = CLASSES + len(STATUS_CLASSES)
DURATION_SUM = BUCKETS + len(DURATION_BOUNDS_S) + 1
LIMITED = DURATION_SUM + 1
MIRROR_SAME = LIMITED + 1
MIRROR_DIFFERENT = MIRROR_SAME + 1
MIRROR_FAILED = MIRROR_DIFFERENT + 1  # the second service gave no answer
MIRROR_SKIPPED = MIRROR_FAILED + 1  # too large, or too many at a time
CACHE_HITS = MIRROR_SKIPPED + 1
CACHE_MISSES = CACHE_HITS + 1
CACHE_STALE = CACHE_MISSES + 1  # given although stale
CACHE_REVALIDATED = CACHE_STALE + 1
CACHE_BYPASSED = CACHE_REVALIDATED + 1
CACHE_COLLAPSED = CACHE_BYPASSED + 1  # of all these, those that waited for somebody else's question
ROUTE_CELLS = CACHE_COLLAPSED + 1

# within a service's
RETRIES = 0
BROKEN = 1
INFLIGHT = 2
HEDGES = 3
FALLBACKS = 4
BUDGET_EXHAUSTED = 5
SERVICE_OPEN = 6
WAITING = 7
PLACES = 8  # for its adaptive concurrency; 0 without
SERVICE_CELLS = 10

# within a target's
CIRCUIT_OPEN = 0
FAILURES = 1
UNHEALTHY = 2  # by active checks
EJECTED = 3  # as an outlier
TARGET_CELLS = 4

# within an error code's
REFUSED = 0
CODE_CELLS = 1

# within a model's, of a provider: what OpenTelemetry's semantic conventions for generative AI measure, and their bounds
AI_DURATION_BOUNDS_S = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)
AI_FIRST_TOKEN_BOUNDS_S = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
)  # fmt: skip
AI_PER_TOKEN_BOUNDS_S = (0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5)
AI_TOKEN_BOUNDS = tuple(float(4**power) for power in range(14))  # 1 to 67,108,864
AI_HISTOGRAMS = (  # each has its buckets, an unbounded one, and its sum
    AI_DURATION_BOUNDS_S,
    AI_FIRST_TOKEN_BOUNDS_S,
    AI_PER_TOKEN_BOUNDS_S,
    AI_TOKEN_BOUNDS,  # of input
    AI_TOKEN_BOUNDS,  # of output
)
AI_STARTS = tuple(sum(len(bounds) + 2 for bounds in AI_HISTOGRAMS[:at]) for at in range(len(AI_HISTOGRAMS) + 1))
AI_CACHED = AI_STARTS[-1]  # of the input tokens, those that the provider had cached
AI_ESTIMATED = AI_CACHED + 1  # requests whose tokens are our own count
AI_COST = AI_ESTIMATED + 1
AI_FAILED = AI_COST + 1  # attempts
AI_CELLS = AI_FAILED + 1

# within the block of WebSockets
WEBSOCKETS_OPEN = 0
WEBSOCKET_MESSAGES_IN = 1  # from clients
WEBSOCKET_MESSAGES_OUT = 2
WEBSOCKET_CELLS = 3

# within the block of the cache: of each worker …
CACHE_MEMORY_BYTES = 0
CACHE_MEMORY_BYTES_MAX = 1
CACHE_MEMORY_OBJECTS = 2
CACHE_MEMORY_EVICTED = 3
CACHE_NOT_STORED = 4
NOT_FOUND_ANSWERED = 5
NOT_FOUND_KNOWN = 6
NOT_FOUND_FILTERED = 7
NOT_FOUND_FALSE_POSITIVES = 8  # the share of its filter
# … and of what they share, as each of them sees it
CACHE_DISK_BYTES = 9
CACHE_DISK_BYTES_MAX = 10
CACHE_DISK_OBJECTS = 11
CACHE_DISK_EVICTED = 12
CACHE_DISK_DAMAGED = 13
CACHE_PURGES = 14
CACHE_CELLS = 15

WORKER = "worker"
CACHE = "cache"
WEBSOCKETS = "websockets"
UNMATCHED = ""  # the name of the route that stands for requests which no route took


def route_block(route: str) -> tuple[str, int]:
    """The name and size of a route's block, for `Blocks.claim`."""
    return f"route/{route}", ROUTE_CELLS


def service_block(service: str) -> tuple[str, int]:
    """Likewise of a service's."""
    return f"service/{service}", SERVICE_CELLS


def target_block(service: str, url: str) -> tuple[str, int]:
    """Likewise of a target's: the same address may serve two services, and is judged in each by itself."""
    return f"target/{service}/{url}", TARGET_CELLS


def code_block(code: str) -> tuple[str, int]:
    """Likewise of an error code's."""
    return f"code/{code}", CODE_CELLS


def ai_block(service: str, model: str) -> tuple[str, int]:
    """Likewise of a model, as it stands in the configuration of its service."""
    return f"ai/{service}/{model}", AI_CELLS
