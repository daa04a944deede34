"""What the API server counted and time-stamped: who asked for what, and who wrote what when."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from benchmarks.objects import app_in
from shared.exchange import Exchange, Request
from shared.kubeconfig import Connection


@dataclass(frozen=True, slots=True)
class Write:
    """A write that the API server stored. `at` is Unix time."""

    at: float
    user: str
    verb: str
    resource: str
    subresource: str
    name: str
    version: int

    @property
    def app(self) -> str:
        """The application whose object was written."""
        return app_in(self.name)


class Accounts:
    """Reads the API server's books."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    @classmethod
    async def open(cls, kubeconfig: Path) -> "Accounts":
        """With a connection of its own, which `close` closes."""
        return cls(Exchange(await Connection.open(kubeconfig), kubeconfig))

    async def close(self) -> None:
        """Close the connection."""
        await self._exchange.close()

    async def requests(self, user: str) -> Counter[str]:
        """How many requests a user has sent, as `verb resource`."""
        report = await self._exchange.send(Request("GET", "/debug/requests"))
        counts: Counter[str] = Counter()
        for entry in report["requests"]:
            if entry["user"] == user:
                counts[f"{entry['verb']} {entry['resource']}"] += entry["count"]
        return counts

    async def writes(self, after: int = 0) -> list[Write]:
        """The writes with a resourceVersion above `after`, oldest first."""
        report = await self._exchange.send(Request("GET", "/debug/writes", {"after": str(after)}))
        return [
            Write(
                at=entry["time"],
                user=entry["user"],
                verb=entry["verb"],
                resource=entry["resource"],
                subresource=entry["subresource"],
                name=entry["name"],
                version=int(entry["resourceVersion"]),
            )
            for entry in report["writes"]
        ]
