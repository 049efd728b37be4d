"""The usual way to take telemetry in, for comparison: FastAPI, pydantic, SQL inserts; one durable commit per post.

python -m bench.ingest_peer PORT FILE
"""

import sqlite3
import sys
import threading

import uvicorn
from fastapi import FastAPI, Request
from pydantic import BaseModel, Field


class Event(BaseModel):
    """What a sender says of one request."""

    time: float
    service: str
    path: str = Field(max_length=1_024)
    method: str
    status: int = Field(ge=100, le=599)
    latency_ms: float = Field(ge=0)
    request_bytes: int = 0
    response_bytes: int = 0
    key_id: str = ""
    client: str = ""
    host: str = ""
    region: str = ""
    trace_id: str = ""
    span_id: str = ""


_COLUMNS = tuple(Event.model_fields)


def main(port: int, file: str) -> None:
    database = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute(f"CREATE TABLE events ({', '.join(_COLUMNS)})")
    insert = f"INSERT INTO events VALUES ({', '.join('?' * len(_COLUMNS))})"
    lock = threading.Lock()
    app = FastAPI()

    @app.post("/v1/telemetry")
    def take(events: list[Event], request: Request) -> dict[str, int]:
        if request.headers.get("x-api-key") is None:
            return {"accepted": 0}
        rows = [tuple(event.model_dump().values()) for event in events]
        with lock:
            database.execute("BEGIN")
            database.executemany(insert, rows)
            database.execute("COMMIT")
        return {"accepted": len(rows)}

    uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning", access_log=False)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
