"""Logs: one JSON object a line, with the keys that Flagger's logs have.

    {"level":"info","ts":"2026-11-22T20:11:15.123Z","caller":"controller/act.py:40","msg":"...","canary":"po
    dinfo.test"}

Called once by each process's __main__. Modules log through the standard library with a constant message,
and give data as `extra`.
"""

import asyncio
import atexit
import logging
import sys
import time
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TextIO

import orjson

from shared.errors import ConfigError

canary_context: ContextVar[str] = ContextVar("canary", default="")
"""`name.namespace` of the Canary that the current task works on; in each of its lines."""

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warn": logging.WARNING, "error": logging.ERROR}


LATEST = 0.1
"""Seconds that a line of `request` may wait to be written with others: a system call for each would cost a
busy server more than all the rest of its line."""


class _Requests:
    """The lines of `request` that wait."""

    def __init__(self) -> None:
        self.stream: TextIO | None = None
        """Where they go; None where their level is not wanted."""
        self._lines: list[str] = []

    def add(self, line: str) -> None:
        """Have it written soon."""
        if not self._lines:
            asyncio.get_running_loop().call_later(LATEST, self.write)
        self._lines.append(line)

    def write(self) -> None:
        """Write what waits."""
        lines, self._lines = self._lines, []
        if lines and self.stream is not None:
            self.stream.write("".join(lines))
            self.stream.flush()


_requests = _Requests()
atexit.register(_requests.write)


class _InOrder(logging.StreamHandler[TextIO]):
    """Lets no line overtake an earlier one."""

    def emit(self, record: logging.LogRecord) -> None:
        _requests.write()
        super().emit(record)


_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}


def configure(level: str = "info", stream: TextIO | None = None) -> None:
    """Send all logs of the process from this level on (debug, info, warn, error) to the stream (stderr).

    Raises:
        ConfigError: there is no such level.
    """
    if level not in LEVELS:
        raise ConfigError(f"{level!r} is not a log level: use one of {', '.join(LEVELS)}")
    handler = _InOrder(stream or sys.stderr)
    handler.setFormatter(_JsonLines())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(LEVELS[level])
    _requests.stream = handler.stream if LEVELS[level] <= logging.INFO else None


def request(caller: str, msg: str, fields: Mapping[str, Any]) -> None:
    """One line at level info for each request of a busy server, at a tenth of the standard library's cost.

    It is written within LATEST seconds by the running loop.
    """
    if _requests.stream is not None:
        line = {"level": "info", "ts": _time(time.time()), "caller": caller, "msg": msg, **fields}
        _requests.add(f"{_encoded(line)}\n")


class _JsonLines(logging.Formatter):
    """JSON escapes line breaks, so no value can start a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "level": _level(record.levelno),
            "ts": _time(record.created),
            "caller": "/".join(record.pathname.split("/")[-2:]) + f":{record.lineno}",
            "msg": record.getMessage(),
        }
        if canary := canary_context.get():
            line["canary"] = canary
        for key, value in vars(record).items():
            if key not in _STANDARD:
                line.setdefault(key, value)
        if record.exc_info:
            line["stacktrace"] = self.formatException(record.exc_info)
        return _encoded(line)


def _encoded(line: Mapping[str, Any]) -> str:
    try:
        return orjson.dumps(line, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    except orjson.JSONEncodeError:  # text that is no valid Unicode, numbers beyond 64 bits
        return orjson.dumps({key: _plain(value) for key, value in line.items()}).decode()


def _time(seconds: float) -> str:
    whole, microseconds = divmod(round(seconds * 1e6), 1_000_000)
    return f"{_second(whole)}.{microseconds // 1000:03}Z"


@lru_cache(maxsize=1)
def _second(whole: int) -> str:
    return datetime.fromtimestamp(whole, UTC).isoformat()[: -len("+00:00")]


def _level(number: int) -> str:
    return next((name for name, value in reversed(LEVELS.items()) if number >= value), "debug")


def _plain(value: object) -> str:
    return str(value).encode(errors="backslashreplace").decode()
