"""Telling somebody outside by a webhook: CloudEvents 1.0, structured mode, over plain HTTP(S).

Source: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/http-protocol-binding.md#32-structured-content-mode
"""

import http.client
import json
from datetime import UTC, datetime
from urllib.parse import urlsplit

import msgspec

from foregate.wire.alert import Alert

_TIMEOUT_S = 5.0
_ANSWER_BYTES_MAX = 1_024  # read of a refusal, for the log


class Webhook:
    """Posts each alert to `url` (keeps `foregate.ports.notifier.Notifier`). No proxy, no redirect is followed.

    Raises ValueError when `url` is not an absolute http or https URL.
    """

    def __init__(self, url: str, *, source: str = "urn:foregate", timeout_s: float = _TIMEOUT_S) -> None:
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"a webhook needs an absolute http(s) URL, not {url!r}")
        self._https = parts.scheme == "https"
        self._host, self._port = parts.hostname, parts.port
        self._target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        self._source = source
        self._timeout_s = timeout_s

    def notify(self, alert: Alert) -> None:
        """Deliver, or raise OSError with the reason. Blocks up to `timeout_s` per step of the exchange."""
        body = json.dumps(cloud_event(alert, self._source), ensure_ascii=False).encode()
        kind = http.client.HTTPSConnection if self._https else http.client.HTTPConnection
        connection = kind(self._host, self._port, timeout=self._timeout_s)
        try:
            connection.request("POST", self._target, body, {"Content-Type": "application/cloudevents+json"})
            answer = connection.getresponse()
            said = answer.read(_ANSWER_BYTES_MAX)
        except http.client.HTTPException as error:
            raise OSError(f"webhook at {self._host}: the answer is not HTTP ({type(error).__name__})") from error
        except OSError as error:
            raise OSError(f"webhook at {self._host}: {str(error) or type(error).__name__}") from error
        finally:
            connection.close()
        if not 200 <= answer.status < 300:
            raise OSError(f"webhook at {self._host} answered {answer.status}: {said[:200].decode(errors='replace')!r}")


def cloud_event(alert: Alert, source: str) -> dict[str, object]:
    """The envelope. The id names this state of the alert, so that a receiver can drop what it has already."""
    return {
        "specversion": "1.0",
        "id": f"{alert.id}/{alert.state}/{alert.outcome}/{alert.updated_s:.3f}",
        "source": source,
        "type": "foregate.alert.raised" if alert.state == "open" else "foregate.alert.closed",
        "subject": alert.entity.label,
        "time": datetime.fromtimestamp(alert.updated_s, UTC).isoformat().replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": {**msgspec.to_builtins(alert), "entity": _named(alert)},
    }


def _named(alert: Alert) -> dict[str, str]:
    entity = alert.entity
    return {
        "org": entity.org,
        "service": entity.service,
        "route": entity.route,
        "environment": entity.environment,
    }
