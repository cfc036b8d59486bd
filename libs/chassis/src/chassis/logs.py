"""Logs as JSON, one line per record, on standard output; control characters cannot break out of a line."""

import io
import logging
import sys
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog


class Output(io.TextIOBase):
    """Standard output; what it does not take (a full disk, a broken pipe) is lost, and keeps nobody from their work."""

    def write(self, text: str) -> int:
        with suppress(OSError):
            sys.stdout.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError):
            sys.stdout.flush()


def configure(service: str) -> None:
    """Send our records and those of the libraries the same way."""

    def name_service(_: Any, __: str, record: structlog.types.EventDict) -> structlog.types.EventDict:
        return {"service": service, **record}

    shared: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        name_service,
    ]
    output = cast(TextIO, Output())
    structlog.configure(
        processors=[*shared, structlog.processors.format_exc_info, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(output),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(output)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.processors.format_exc_info],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
