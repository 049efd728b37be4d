// A service with OpenTelemetry's SDK: `node send.mjs <intake URL> <key> <environment> <requests>`.
// Serves HTTP requests of its own, and sends their spans (JSON and protobuf), a counter, a histogram and a log line each.
import { SpanKind, SpanStatusCode, context, trace } from "@opentelemetry/api";
import { SeverityNumber } from "@opentelemetry/api-logs";
import { OTLPLogExporter } from "@opentelemetry/exporter-logs-otlp-http";
import { OTLPMetricExporter } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPTraceExporter as JsonTraces } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPTraceExporter as ProtobufTraces } from "@opentelemetry/exporter-trace-otlp-proto";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BasicTracerProvider, BatchSpanProcessor } from "@opentelemetry/sdk-trace-base";

const [url, key, environment, requests] = process.argv.slice(2);
const headers = { authorization: `Bearer ${key}` };
const resource = resourceFromAttributes({
  "service.name": "node-shop",
  "deployment.environment.name": environment,
  "cloud.region": "eu-west-1",
  "cloud.provider": "aws",
  "host.name": "node-1",
});
const to = (signal) => ({ url: `${url}/v1/${signal}`, headers, compression: "gzip" });

const traces = [new JsonTraces(to("traces")), new ProtobufTraces(to("traces"))].map(
  (exporter) => new BasicTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(exporter)] }),
);
const meters = new MeterProvider({
  resource,
  readers: [new PeriodicExportingMetricReader({ exporter: new OTLPMetricExporter(to("metrics")) })],
});
const loggers = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter: new OTLPLogExporter(to("logs")) })] });
const counter = meters.getMeter("test").createCounter("orders.placed", { unit: "{order}" });
const sizes = meters.getMeter("test").createHistogram("orders.size", { unit: "By" });
const logger = loggers.getLogger("test");

for (let number = 0; number < Number(requests); number++) {
  const tracer = traces[number % 2].getTracer("test");
  const span = tracer.startSpan(`GET /orders/:id`, {
    kind: SpanKind.SERVER,
    attributes: {
      "http.request.method": "GET",
      "http.route": "/orders/:id",
      "url.path": `/orders/${number}`,
      "http.response.status_code": number % 5 === 0 ? 500 : 200,
      "server.address": "shop.example",
    },
  });
  if (number % 5 === 0) span.setStatus({ code: SpanStatusCode.ERROR, message: "no stock" });
  const below = trace.setSpan(context.active(), span);
  tracer.startSpan("SELECT", { kind: SpanKind.CLIENT, attributes: { "server.address": "db" } }, below).end();
  logger.emit({ severityNumber: SeverityNumber.WARN, body: `order ${number} placed`, attributes: { number }, context: below });
  counter.add(1, { plan: "free" });
  sizes.record(number * 10);
  span.end();
}
await Promise.all([...traces.map((provider) => provider.shutdown()), meters.shutdown(), loggers.shutdown()]);
console.log("sent");
