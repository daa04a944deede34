"""An answer as the API server reads it: the one place where responses are made. Pure.

`server` calls it. What is refused reads as Kubernetes' own refusals do, so that kubectl shows every violation
on a line of its own and tools find the fields in `details.causes`.
"""

import base64
import re
from collections.abc import Iterator, Sequence
from http import HTTPStatus

import orjson

from admission.answer import Answer, PatchOp, Severity, Violation
from admission.request import API_VERSION, KIND, Envelope, Operation
from shared.types.meta import Json

LONGEST_WARNING = 256
"""Characters of one warning; the API server cuts longer ones."""
LONGEST_WARNINGS = 4096
"""Characters of all warnings of a response; the API server drops what comes after."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f]+")
"""The API server drops warnings with such characters."""


def render(envelope: Envelope, answer: Answer) -> bytes:
    """The AdmissionReview that answers the envelope's request."""
    response: Json = {"uid": envelope.uid, "allowed": answer.allowed}
    if not answer.allowed:
        response["status"] = _status(envelope, _denials(answer))
    elif answer.patch:
        operations = [_operation(each) for each in answer.patch]
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(orjson.dumps(operations)).decode()
    if warnings := list(_warnings(answer)):
        response["warnings"] = warnings
    return orjson.dumps({"apiVersion": API_VERSION, "kind": KIND, "response": response})


def _operation(operation: PatchOp) -> Json:
    if operation.op == "remove":
        return {"op": operation.op, "path": operation.path}
    return {"op": operation.op, "path": operation.path, "value": operation.value}


def _denials(answer: Answer) -> list[Violation]:
    return [each for each in answer.violations if each.severity is Severity.DENY]


def _status(envelope: Envelope, denials: Sequence[Violation]) -> Json:
    """Of a delete 403, as the object itself is not to blame; of anything else 422."""
    resource = envelope.resource
    if envelope.operation is Operation.DELETE:
        qualified = f"{resource.plural}.{resource.group}" if resource.group else resource.plural
        code, reason, judged = HTTPStatus.FORBIDDEN, "Forbidden", "is forbidden"
    else:
        qualified = f"{resource.kind}.{resource.group}" if resource.group else resource.kind
        code, reason, judged = HTTPStatus.UNPROCESSABLE_ENTITY, "Invalid", "is invalid"
    texts = [f"{each.problem} ({each.rule})" for each in denials]
    listed = texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]"
    causes = [
        {
            "reason": each.problem.reason.value,
            "message": f"{each.problem.message} ({each.rule})",
            "field": each.problem.field or "<object>",
        }
        for each in denials
    ]
    return {
        "code": code.value,
        "reason": reason,
        "message": f'{qualified} "{envelope.name}" {judged}: {listed}',
        "details": {
            "name": envelope.name,
            "group": resource.group,
            "kind": resource.kind,
            "causes": causes,
        },
    }


def _warnings(answer: Answer) -> Iterator[str]:
    """Each on one line and short enough; those that do not fit any more are left out."""
    left = LONGEST_WARNINGS
    told = [f"{each.problem} ({each.rule})" for each in answer.violations if each.severity is Severity.WARN]
    for text in dict.fromkeys([*answer.warnings, *told]):
        plain = _CONTROL.sub(" ", text)
        cut = plain if len(plain) <= LONGEST_WARNING else f"{plain[: LONGEST_WARNING - 1]}…"
        left -= len(cut)
        if left < 0:
            return
        yield cut
