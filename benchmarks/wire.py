"""Connections to the API server that cost the client as little as possible: HTTP/1.1 over TLS, kept alive.

Used by `apiserver`: what is measured there is the server, so the client must never be what is waited for.
"""

import asyncio
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import orjson
import yaml

from shared.types.meta import Json

_LINE_LIMIT = 64 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Door:
    """Where the server is and who asks."""

    host: str
    port: int
    token: str
    context: ssl.SSLContext

    @classmethod
    def of(cls, state: Path) -> "Door":
        """Of the server that keeps its files in `state`, as its admin."""
        config = yaml.safe_load((state / "kubeconfig").read_text())
        server = urlsplit(config["clusters"][0]["cluster"]["server"])
        context = ssl.create_default_context(cafile=str(state / "ca.crt"))
        assert server.hostname is not None and server.port is not None, "a sandbox's URL names both"
        return cls(server.hostname, server.port, config["users"][0]["user"]["token"], context)

    async def open(self) -> "Wire":
        """A connection of its own."""
        reader, writer = await asyncio.open_connection(
            self.host, self.port, ssl=self.context, limit=_LINE_LIMIT
        )
        return Wire(self, reader, writer)


@dataclass(frozen=True, slots=True)
class Wire:
    """One connection, for one request at a time."""

    door: Door
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(
        self, method: str, path: str, body: Json | None = None, kind: str = "application/json"
    ) -> bytes:
        """The body of the answer.

        Raises:
            RuntimeError: the answer is no success.
        """
        self._ask(method, path, b"" if body is None else orjson.dumps(body), kind)
        head = await self._head()
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        answer = await self.reader.readexactly(length)
        if head[9:10] != b"2":
            raise RuntimeError(f"{method} {path}: {answer[:500].decode(errors='replace')}")
        return answer

    async def watch(self, path: str) -> None:
        """Begin a watch: once this returns, it is open."""
        self._ask("GET", path, b"", "application/json")
        await self._head()

    async def event(self) -> bytes:
        """The next event of the watch that was begun: a line, without its chunk's length."""
        await self.reader.readline()
        line = await self.reader.readline()
        await self.reader.readline()
        return line

    async def close(self) -> None:
        """Hang up."""
        self.writer.close()
        await asyncio.gather(self.writer.wait_closed(), return_exceptions=True)

    def _ask(self, method: str, path: str, body: bytes, kind: str) -> None:
        door = self.door
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: {door.host}:{door.port}\r\n"
            f"Authorization: Bearer {door.token}\r\nUser-Agent: benchmark\r\n"
            f"Accept: application/json\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        self.writer.write(head.encode() + body)

    async def _head(self) -> bytes:
        return await self.reader.readuntil(b"\r\n\r\n")
