"""A service with the OpenTelemetry SDK, in a process and with a clock of its own; prints its port.

Arguments: its name, its environment, where to send telemetry, the key, by how many seconds its clock is ahead, and the
service that it asks itself ("" for none).
"""

import asyncio
import logging
import sys
import time

from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.propagate import extract, inject
from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, set_span_in_context, use_span

from foregate.http1 import Client, Request, Response, Server
from foregate.kernel.clock import SystemClock


class Traced:
    def __init__(self, name: str, environment: str, to: str, key: str, ahead_s: str, asks: str) -> None:
        resource = Resource.create({"service.name": name, "deployment.environment.name": environment})
        headers = {"x-api-key": key}
        spans = TracerProvider(resource=resource)
        exporter = OTLPSpanExporter(f"{to}/v1/traces", headers=headers)
        spans.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=200))
        logs = LoggerProvider(resource=resource)
        logs.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(f"{to}/v1/logs", headers=headers)))
        self._tracer = spans.get_tracer("tests")
        self._log = logging.getLogger(name)
        self._log.setLevel(logging.INFO)
        self._log.addHandler(LoggingHandler(logger_provider=logs))
        self._name = name
        self._ahead_ns = int(float(ahead_s) * 1e9)
        self._asks = asks
        self._client = Client(SystemClock())

    def _now_ns(self) -> int:
        return time.time_ns() + self._ahead_ns

    async def handle(self, request: Request) -> Response:
        """A server span; inside it, where somebody else is asked, a client span whose ids go along."""
        headers = {name: value for name in ("traceparent", "tracestate") if (value := request.header(name))}
        attributes = {"http.request.method": "GET", "http.route": "/buy/{id}", "http.response.status_code": 200}
        server = self._tracer.start_span(
            f"GET {self._name}", extract(headers), SpanKind.SERVER, attributes, start_time=self._now_ns()
        )
        within = set_span_in_context(server)
        await asyncio.sleep(0.02)
        if self._asks:
            client = self._tracer.start_span("ask", within, SpanKind.CLIENT, start_time=self._now_ns())
            told: dict[str, str] = {}
            inject(told, set_span_in_context(client))
            fields = [(name.encode(), value.encode()) for name, value in told.items()]
            answer = await self._client.request("GET", self._asks, headers=fields)
            await answer.read()
            client.end(self._now_ns())
        else:
            with use_span(server, end_on_exit=False):
                await asyncio.to_thread(self._log.warning, "almost sold out")
        server.end(self._now_ns())
        return Response(200, b"{}")


async def main() -> None:
    server = Server(Traced(*sys.argv[1:]).handle, SystemClock())
    print(await server.start("127.0.0.1", 0), flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
