"""Logs: one JSON object a line on stderr for machines, or coloured lines for people."""

import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import structlog

from foregate.app.observe.own_logs import OwnLog

LogFormat = Literal["json", "console"]
LogLevel = Literal["debug", "info", "warning", "error"]


@dataclass(frozen=True)
class LogStyle:
    """How every process of one foregate logs."""

    format: LogFormat = "json"
    level: LogLevel = "info"
    file: Path | None = None  # where the lines go as well, for foregate's own log search


def configure_logs(style: LogStyle, process: str) -> structlog.typing.FilteringBoundLogger:
    """Set up this process's logging, the standard library's included. `process` is on every line.

    Tracebacks are plain: those with local variables would write keys and tokens into the log.
    """
    if style.format == "console":
        colors, plain = sys.stderr.isatty(), structlog.dev.plain_traceback
        last: list[Any] = [structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]
    else:
        last = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
    ]
    if style.file is not None:
        shared += [_named(process), structlog.processors.format_exc_info, OwnLog(style.file)]
    number = logging.getLevelNamesMapping()[style.level.upper()]
    structlog.configure(
        processors=[*shared, *last],
        wrapper_class=structlog.make_filtering_bound_logger(number),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _named(process), *last],
        )
    )
    logging.basicConfig(level=max(number, logging.WARNING), handlers=[handler], force=True)
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger().bind(process=process)
    return logger


def _named(process: str) -> Any:
    def add(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
        event["process"] = process
        return event

    return add
