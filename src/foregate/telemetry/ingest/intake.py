"""Every exchange's first decisions: which address, whose key, is there room. Before any of its body is read."""

from collections.abc import Callable
from typing import Any

from foregate.kernel.limits import INGEST_BYTES_MAX, INGEST_POST_ITEMS_MAX, INGEST_REQUESTS_MAX
from foregate.telemetry.ingest import answers
from foregate.telemetry.ingest.answers import respond
from foregate.telemetry.ingest.aside import Aside
from foregate.telemetry.ingest.budget import RETRY_S, Budget
from foregate.telemetry.ingest.call import Call
from foregate.telemetry.ingest.committer import Log
from foregate.telemetry.ingest.counts import Counts
from foregate.telemetry.ingest.endpoints import ENDPOINTS, HEALTH_PATHS, Endpoint
from foregate.telemetry.ingest.keys import Holder, Keys
from foregate.telemetry.ingest.page import CONTENT_TYPE
from foregate.telemetry.ingest.reading import Reader
from foregate.telemetry.ingest.rounds import Post
from foregate.wire.ingest import Ingest

FULL_RETRY_S = 30.0  # people have to free something
_LOOPBACK = ("127.", "::1", "::ffff:127.")


class Intake:
    """What all posts of a process share. `submit` takes what is to be stored; `page()` is for Prometheus.

    `ready()`: whether posts would be stored now; `refuse()`: why none may be, "" where they may.
    """

    def __init__(
        self,
        settings: Ingest,
        keys: Keys,
        counts: Counts,
        reader: Reader,
        aside: Aside,
        submit: Callable[[Post], None],
        ready: Callable[[], bool],
        page: Callable[[], bytes],
        refuse: Callable[[], str],
        log: Log,
    ) -> None:
        self.body_bytes_max = settings.body_bytes_max
        self.items_max = min(settings.buffer_items_max, INGEST_POST_ITEMS_MAX)
        self.budget = Budget(settings.buffer_items_max, INGEST_BYTES_MAX, INGEST_REQUESTS_MAX, counts.gauges)
        self.counts = counts
        self.reader = reader
        self.aside = aside
        self.submit = submit
        self.draining = False
        self._keys = keys
        self._ready = ready
        self._page = page
        self._unstorable = refuse
        self._log = log

    def handle(self, exchange: Any) -> None:
        """The application of the servers (`ServerContext.application`)."""
        path, _, query = exchange.target.partition(b"?")
        endpoint = ENDPOINTS.get(path)
        if endpoint is None:
            self._elsewhere(exchange, path)
        elif exchange.method != b"POST":
            self._refuse(
                exchange, endpoint, "method_not_allowed", "Telemetry is sent by POST.", lines=b"allow: POST\r\n"
            )
        elif endpoint.dialect == "grpc" and exchange.protocol != "grpc":
            detail = "This is a gRPC method: HTTP/2, content-type application/grpc."
            self._refuse(exchange, endpoint._replace(dialect="telemetry"), "unsupported_media_type", detail)
        elif isinstance(holder := self._keys.of(exchange.headers), str):
            detail = "Send an ingest key as authorization: Bearer or as x-api-key." if holder == "key_missing" else ""
            self._refuse(exchange, endpoint, holder, detail, lines=b"www-authenticate: Bearer\r\n")
        else:
            self._admit(exchange, endpoint, query, holder)

    def failed(self, error: Exception) -> None:
        """A mistake of ours."""
        self._log("post_failed", {"error": repr(error)})

    def refused(self, code: str) -> None:
        """The engine has refused a message for its form."""
        self.counts.refused(code)

    def _admit(self, exchange: Any, endpoint: Endpoint, query: bytes, holder: Holder) -> None:
        """Is there room: for it, and for its key. If so, begin."""
        length = exchange.head.content_length or 0
        if self.draining:
            self._refuse(exchange, endpoint, "draining", wait_s=RETRY_S)
        elif length > self.body_bytes_max:
            detail = f"A post has {self.body_bytes_max} bytes at most."
            self._refuse(exchange, endpoint, "body_too_large", detail)
        elif reason := self._unstorable():
            self._refuse(exchange, endpoint, "storage_full", reason, FULL_RETRY_S)
        elif not self.budget.admits(holder.held, length):
            self._refuse(exchange, endpoint, "buffer_full", wait_s=RETRY_S)
        elif (wait_s := holder.wait_s(1)) > 0.0:
            holder.refused()
            detail = f"This key may send {holder.key.items_per_s:g} items/s."
            self._refuse(exchange, endpoint, "rate_limited", detail, wait_s)
        else:
            self._begin(exchange, Call(self, exchange, endpoint, _is_history(query), holder))

    def _begin(self, exchange: Any, call: Call) -> None:
        exchange.receiver = call
        if exchange.complete:
            call.request_body(exchange.take_body(), True)
            return
        exchange.send_continue()
        if exchange.inbox:
            call.request_body(exchange.take_body(), False)

    def _elsewhere(self, exchange: Any, path: bytes) -> None:
        """What is no telemetry."""
        local = exchange.peer == "" or exchange.peer.startswith(_LOOPBACK)
        if exchange.protocol == "grpc":
            answers.refuse_grpc(exchange, "not_found", "There is no such method here.")
            self.counts.refused("not_found")
        elif path not in HEALTH_PATHS or (path == b"/metrics" and not local):
            self._refuse(exchange, None, "not_found", "Telemetry is taken at /v1/telemetry, /v1/traces, /v1/metrics, "
                         "/v1/logs and /api/v1/write.")  # fmt: skip
        elif exchange.method not in (b"GET", b"HEAD"):
            self._refuse(exchange, None, "method_not_allowed", lines=b"allow: GET, HEAD\r\n")
        elif path == b"/metrics":
            self.budget.publish()
            respond(exchange, 200, CONTENT_TYPE, self._page())
        else:
            well = path == b"/health/live" or (self._ready() and not self.draining)
            body = b'{"status":"ok"}' if well else b'{"status":"not ready"}'
            respond(exchange, 200 if well else 503, answers.JSON, body, b"cache-control: no-store\r\n")

    def _refuse(
        self,
        exchange: Any,
        endpoint: Endpoint | None,
        code: str,
        detail: str = "",
        wait_s: float = 0.0,
        lines: bytes = b"",
    ) -> None:
        self.counts.refused(code)
        answers.refuse(exchange, endpoint, answers.wants_json(exchange.headers), code, detail, wait_s, lines=lines)


def _is_history(query: bytes) -> bool:
    return b"history=true" in query.split(b"&")
