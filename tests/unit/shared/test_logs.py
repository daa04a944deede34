"""Each log line is one JSON object, whatever is logged."""

import io
import json
import logging
import re
from collections.abc import Iterator
from typing import Any

import pytest

from shared.errors import ConfigError
from shared.logs import canary_context, configure

log = logging.getLogger("tests.logs")


@pytest.fixture
def stream() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    written = io.StringIO()
    configure("info", written)
    yield written
    root.handlers = handlers
    root.setLevel(level)


def only(stream: io.StringIO) -> dict[str, Any]:
    (line,) = stream.getvalue().splitlines()
    parsed = json.loads(line)
    assert isinstance(parsed, dict)
    return parsed


def test_a_line_has_the_keys_of_flaggers_logs(stream: io.StringIO) -> None:
    token = canary_context.set("podinfo.test")
    log.warning("Halt advancement", extra={"weight": 10})
    canary_context.reset(token)
    line = only(stream)
    assert list(line) == ["level", "ts", "caller", "msg", "canary", "weight"]
    assert line["level"] == "warn"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line["ts"])
    assert re.fullmatch(r"shared/test_logs\.py:\d+", line["caller"])
    assert (line["msg"], line["canary"], line["weight"]) == ("Halt advancement", "podinfo.test", 10)


def test_outside_of_a_canary_there_is_no_such_key(stream: io.StringIO) -> None:
    log.info("started")
    assert "canary" not in only(stream)


@pytest.mark.parametrize(
    "forged",
    ['a\n{"level":"info","msg":"forged"}', "a\r\nb", "a\u2028b", 'a"}', "\ud800", "\x00"],
    ids=["newline", "carriage-return", "line-separator", "quote", "lone-surrogate", "null"],
)
def test_no_value_can_forge_a_line(stream: io.StringIO, forged: str) -> None:
    log.error(forged.encode(errors="replace").decode(), extra={"value": forged})
    assert len(stream.getvalue().rstrip("\n").split("\n")) == 1
    assert "\r" not in stream.getvalue()
    assert json.loads(stream.getvalue())["level"] == "error"


def test_extra_fields_cannot_replace_ours(stream: io.StringIO) -> None:
    log.info("real", extra={"level": "debug", "ts": "never"})
    line = only(stream)
    assert line["level"] == "info"
    assert line["ts"] != "never"


def test_values_that_json_does_not_know_become_text(stream: io.StringIO) -> None:
    log.info("odd", extra={"a": {1}, "b": 2**70, "c": {2: object}})
    line = only(stream)
    assert line["a"] == "{1}"
    assert line["b"] == str(2**70)


def test_an_exception_brings_its_stack_in_the_same_line(stream: io.StringIO) -> None:
    try:
        raise ValueError("boom")
    except ValueError:
        log.exception("failed")
    assert "ValueError: boom" in only(stream)["stacktrace"]


def test_lines_below_the_level_are_left_out(stream: io.StringIO) -> None:
    log.debug("detail")
    assert stream.getvalue() == ""


def test_an_unknown_level_is_an_error() -> None:
    with pytest.raises(ConfigError, match="'loud' is not a log level: use one of debug, info, warn, error"):
        configure("loud")
