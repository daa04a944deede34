"""Reports as text for people, JSON for programs, and annotations for GitHub. Pure."""

import json
from collections.abc import Callable, Mapping

from cli.lint.findings import Finding, Report


def text(report: Report) -> str:
    """One line for each finding, as compilers have them, and a sum."""
    lines = [f"{each.file}:{each.line}: error: {each.message}" for each in report.unreadable]
    lines += [
        f"{each.manifest.file}:{each.line}: {_level(each)}: {each.subject}: {_told(each)}"
        for each in report.findings
    ]
    errors, warnings = report.errors + len(report.unreadable), len(report.findings) - report.errors
    lines.append(
        f"{_counted(report.objects, 'object')}, {_counted(errors, 'error')}, {_counted(warnings, 'warning')}"
    )
    return "\n".join(lines) + "\n"


def as_json(report: Report) -> str:
    """All that is known of each finding."""
    findings = [
        {
            "file": each.manifest.file,
            "line": each.line,
            "kind": each.manifest.obj["kind"],
            "object": each.subject.partition(" ")[2],
            "rule": each.violation.rule,
            "level": _level(each),
            "field": each.violation.problem.field,
            "reason": each.violation.problem.reason.value,
            "message": each.violation.problem.message,
        }
        for each in report.findings
    ]
    unreadable = [
        {"file": each.file, "line": each.line, "message": each.message} for each in report.unreadable
    ]
    whole = {"objects": report.objects, "findings": findings, "unreadable": unreadable}
    return json.dumps(whole, indent=2, ensure_ascii=False) + "\n"


def github(report: Report) -> str:
    """Workflow commands, which GitHub shows beside the lines."""
    lines = [
        _command("error", each.file, each.line, "unreadable", each.message) for each in report.unreadable
    ]
    lines += [
        _command(
            _level(each),
            each.manifest.file,
            each.line,
            each.violation.rule,
            f"{each.subject}: {each.violation.problem}",
        )
        for each in report.findings
    ]
    return "".join(f"{line}\n" for line in lines)


FORMATS: Mapping[str, Callable[[Report], str]] = {"text": text, "json": as_json, "github": github}


def _level(finding: Finding) -> str:
    return "error" if finding.is_error else "warning"


def _told(finding: Finding) -> str:
    return f"{finding.violation.problem} ({finding.violation.rule})"


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _command(level: str, file: str, line: int, title: str, message: str) -> str:
    place = f"file={_property(file)},line={line},title={_property(title)}"
    return f"::{level} {place}::{_data(message)}"


def _data(value: str) -> str:
    return value.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(value: str) -> str:
    return _data(value).replace(":", "%3A").replace(",", "%2C")
