"""`python -m benchmarks.webhook_echo`: the least that a webhook can do, on the same server as the real ones.

It parses a review and echoes its uid. What the webhooks keep of its throughput says what they cost.
"""

import asyncio
import sys
from datetime import UTC, datetime, timedelta

import orjson
import uvloop
from aiohttp import web
from prometheus_client import CollectorRegistry, Gauge

from admission.listener import Door, Listener
from certs.authority import Subject, issue, make_authority
from certs.reload import ReloadedContext


class Echo:
    """Serves as `admission.server.Reviews` does."""

    leaving = False

    async def serve(self, request: web.BaseRequest) -> web.StreamResponse:
        """Allow."""
        review = orjson.loads(await request.read())
        response = {"uid": review["request"]["uid"], "allowed": True}
        answer = {"apiVersion": review["apiVersion"], "kind": review["kind"], "response": response}
        return web.Response(body=orjson.dumps(answer), content_type="application/json")


async def _run() -> None:
    now, day = datetime.now(tz=UTC), timedelta(days=1)
    authority = make_authority("benchmark", now=now, lifetime=day)
    tls = ReloadedContext()
    tls.serve(issue(authority, Subject("echo", hosts=["127.0.0.1"]), now=now, lifetime=day))
    connections = Gauge("connections", "Open connections", registry=CollectorRegistry())
    listener = Listener(Door("127.0.0.1", 0, tls.context), Echo(), connections)
    listener.start()
    sys.stderr.write(orjson.dumps({"msg": "answering", "port": listener.port}).decode() + "\n")
    sys.stderr.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(_run())
