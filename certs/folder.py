"""Certificates that somebody else renews, for example cert-manager: files in a folder.

Used by `certs.serving` where the process is given a folder. Polled by content: a mounted Secret changes by
renaming links, which no two kinds of file watch report alike.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from certs.authority import Pair
from certs.bundle import AUTHORITIES, LEAF, LEAF_KEY, joined
from certs.source import Material
from shared.errors import UnusableCertificate

POLL = 2.0
"""Seconds between two looks. They cost next to nothing."""


class FolderSource:
    """`tls.crt`, `tls.key` and, where we are to tell the API server whom to trust, `ca.crt`."""

    def __init__(self, folder: Path, now: Callable[[], datetime]) -> None:
        self._folder = folder
        self._now = now

    async def run(self, changed: Callable[[], None]) -> None:
        """Look for changes for ever; `changed` is called after each."""
        seen = self._contents()
        while True:
            await asyncio.sleep(POLL)
            if (present := self._contents()) != seen:
                seen = present
                changed()

    async def current(self) -> Material:
        """What is in the folder now.

        Raises:
            UnusableCertificate: a file is missing.
        """
        certificate, key, authorities = self._contents()
        if not certificate or not key:
            raise UnusableCertificate(f"{self._folder} has no readable {LEAF} and {LEAF_KEY}")

        def trusted(present: bytes) -> bytes:
            # Other replicas may see other files for a while: each adds its own authority, and only those that
            # expired are taken away.
            return joined(authorities, present, self._now()) if authorities else present

        return Material(Pair(certificate, key), trusted)

    def _contents(self) -> tuple[bytes, bytes, bytes]:
        return _read(self._folder / LEAF), _read(self._folder / LEAF_KEY), _read(self._folder / AUTHORITIES)


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""
