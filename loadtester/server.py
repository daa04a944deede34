"""The load tester's HTTP face: paths, status codes and texts, nothing else.

Called by hooks (a 200, 201 or 202 passes, anything else fails) and by people who open gates with curl.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from loadtester.access import Access
from loadtester.background import Admitted, Background
from loadtester.commands import CommandNotStarted, Limits, Outcome, run
from loadtester.gates import Gates
from loadtester.payload import Payload, Task, TaskType, parse_payload, parse_task
from loadtester.telemetry import Telemetry
from shared.errors import ConfigError, InvalidSpec
from shared.logs import canary_context

log = logging.getLogger(__name__)

ROLLBACK = "rollback."
Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Service:
    """What the handlers work with."""

    access: Access
    gates: Gates
    background: Background
    telemetry: Telemetry
    limits: Limits
    slots: "Slots"


class Slots:
    """How many synchronous commands may still be started."""

    def __init__(self, free: int) -> None:
        self._free = free

    def take(self) -> bool:
        if not self._free:
            return False
        self._free -= 1
        return True

    def give_back(self) -> None:
        self._free += 1


def routes(service: Service) -> list[web.RouteDef]:
    """All routes but health and metrics, which shared.serving adds."""

    async def tasks(request: web.Request) -> web.Response:
        payload = await _payload(request, service.access)
        return await _run_task(service, parse_task(payload))

    return [
        web.post("/", _refusing(tasks)),
        web.route("*", "/gate/approve", _fixed(200, "OK")),
        web.route("*", "/gate/halt", _fixed(403, "Forbidden")),
        *(
            web.post(f"{path}/{action}", _refusing(_gate(service, action, prefix)))
            for path, prefix in (("/gate", ""), ("/rollback", ROLLBACK))
            for action in ("check", "open", "close")
        ),
    ]


def _refusing(handler: Handler) -> Handler:
    """Refusals become answers with a text; the author of the Canary reads it in the event."""

    async def answer(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except InvalidSpec as error:
            return web.Response(status=400, text=f"{error}\n")
        except ConfigError as error:
            log.error("gate not stored", extra={"error": str(error)})
            return web.Response(status=500, text=f"{error}\n")

    return answer


async def _payload(request: web.Request, access: Access) -> Payload:
    """The body, once the caller is known to be allowed to act for its namespace."""
    payload = parse_payload(await request.read())
    canary_context.set(payload.canary)
    refusal = access.refusal(request.headers.get("Authorization", ""), payload.namespace)
    if refusal is not None:
        log.warning("request refused", extra={"status": refusal.status, "reason": refusal.message})
        error = (
            web.HTTPUnauthorized if refusal.status == web.HTTPUnauthorized.status_code else web.HTTPForbidden
        )
        raise error(text=f"{refusal.message}\n")
    return payload


async def _run_task(service: Service, task: Task) -> web.Response:
    if task.type is TaskType.BASH:
        return await _run_now(service, task)
    match service.background.start(task):
        case Admitted.FULL:
            return _busy()
        case admitted:
            return web.Response(status=202, text=f"{admitted}\n")


async def _run_now(service: Service, task: Task) -> web.Response:
    """Run while the caller waits. When it hangs up, the handler is cancelled and the command ends with it."""
    if not service.slots.take():
        return _busy()
    try:
        with service.telemetry.running.track_inprogress():
            outcome = await run(task.argv, service.limits)
    except CommandNotStarted as error:
        service.telemetry.count(task, None)
        return web.Response(status=500, text=f"{error}\n")
    finally:
        service.slots.give_back()
    service.telemetry.count(task, outcome)
    output = {"output": outcome.output} if task.log_output else {}
    log.info("command ended", extra={"command": task.command, "code": outcome.code, **output})
    if outcome.succeeded:
        return web.Response(text=outcome.output if task.return_output else "")
    return web.Response(status=500, text=_failure(outcome, service.limits))


def _failure(outcome: Outcome, limits: Limits) -> str:
    ended = (
        f"did not end within {limits.timeout}" if outcome.code is None else f"exited with code {outcome.code}"
    )
    return f"the command {ended}\n{outcome.output}"


def _busy() -> web.Response:
    return web.Response(
        status=429,
        headers={"Retry-After": "1"},
        text="too many commands run already: try again when one of them has ended\n",
    )


def _fixed(status: int, text: str) -> Handler:
    async def answer(_: web.Request) -> web.Response:
        return web.Response(status=status, text=text)

    return answer


def _gate(service: Service, action: str, prefix: str) -> Handler:
    async def answer(request: web.Request) -> web.Response:
        payload = await _payload(request, service.access)
        key = prefix + payload.canary
        if action == "check":
            is_open = service.gates.is_open(key)
            return web.Response(status=200 if is_open else 403, text="Approved" if is_open else "Forbidden")
        change = service.gates.open if action == "open" else service.gates.close
        change(key)
        log.info("gate moved", extra={"gate": key, "action": action})
        return web.Response(status=202)

    return answer
