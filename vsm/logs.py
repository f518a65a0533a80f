"""What is logged, and how: sentences for a person, or with `VSM_LOG=json` one JSON object a line for a collector of logs.

Imports nothing of ours but what imports nothing itself: whatever else fails can still be logged.
"""

import json
import logging
import os
import re
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from vsm.errors import UsageError
from vsm.secrecy import hidden

KINDS = ("text", "json")
OURS = ("vsm", "collectors", "dashboard")
# Names and keys of accounts in a URL: whoever reads a log need not know them.
ACCOUNT = re.compile(r"(?<=://)[^/\s@]+@")
PLAIN = frozenset(vars(logging.LogRecord("", 0, "", 0, "", None, None))) | {"message", "asctime", "taskName", "color_message"}


class Record(logging.LogRecord):
    """What is logged, by whomever: without a secret in its words or in its traceback."""

    def __init__(self, *told: Any, **more: Any) -> None:
        super().__init__(*told, **more)
        if self.exc_info and self.exc_info[0]:
            self.exc_text = hidden(logging.Formatter().formatException(self.exc_info))

    def getMessage(self) -> str:
        """The words."""
        return hidden(super().getMessage())


class Lines(logging.Formatter):
    """One JSON object a record: time (UTC), level, logger, message, what the call gave as `extra`, and the traceback as error."""

    def format(self, record: logging.LogRecord) -> str:
        """The record as a line."""
        told: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        told |= {name: value for name, value in vars(record).items() if name not in PLAIN}
        if record.exc_info and record.exc_info[0]:
            told["error"] = record.exc_text or hidden(self.formatException(record.exc_info))
        return ACCOUNT.sub("", json.dumps(told, ensure_ascii=False, default=str))


def begin(environment: Mapping[str, str] = os.environ) -> bool:
    """Let no secret into what is logged. Where VSM_LOG asks for JSON it goes to standard error as that; returns whether it does.

    Raises UsageError for a VSM_LOG that is neither text nor json.
    """
    logging.setLogRecordFactory(Record)
    kind = environment.get("VSM_LOG") or "text"
    if kind not in KINDS:
        raise UsageError(f"VSM_LOG is {kind!r}; expected {' or '.join(KINDS)}")
    if kind == "json":
        _everybody()
    return kind == "json"


def _everybody() -> None:
    """What libraries log goes the same way: a line that is not JSON breaks what reads the log."""
    logging.captureWarnings(True)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines())
    logging.getLogger().handlers = [handler]
    for logger in list(logging.Logger.manager.loggerDict.values()):
        if isinstance(logger, logging.Logger) and logger.handlers:
            logger.handlers, logger.propagate = [], True
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)
