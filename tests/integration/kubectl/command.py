"""kubectl as a person runs it: exit status, what it prints, and what it says went wrong."""

import asyncio
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

BINARY = Path(sys.executable).with_name("kubectl")


@dataclass(frozen=True)
class Ran:
    """How a command ended."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Kubectl:
    """kubectl in one namespace, with a cache of its own in `home`."""

    kubeconfig: Path
    namespace: str
    home: Path
    environment: dict[str, str] = field(default_factory=dict)

    async def __call__(self, *arguments: str, stdin: str = "") -> str:
        """What a command that has to succeed prints."""
        ran = await self.run(*arguments, stdin=stdin)
        assert ran.code == 0, ran.err
        return ran.out

    async def fails(self, *arguments: str, stdin: str = "") -> str:
        """What a command says that has to fail."""
        ran = await self.run(*arguments, stdin=stdin)
        assert ran.code == 1, ran
        return ran.err

    async def run(self, *arguments: str, stdin: str = "") -> Ran:
        process = await self.start(*arguments)
        output, errors = await process.communicate(stdin.encode())
        assert process.returncode is not None
        return Ran(process.returncode, output.decode(), errors.decode())

    async def start(self, *arguments: str) -> asyncio.subprocess.Process:
        """A command that goes on, to be talked to or ended by the test."""
        pipe = asyncio.subprocess.PIPE
        known = {"KUBECONFIG": str(self.kubeconfig), "HOME": str(self.home), "PATH": os.defpath}
        return await asyncio.create_subprocess_exec(
            *(str(BINARY), f"--namespace={self.namespace}", *arguments),
            stdin=pipe, stdout=pipe, stderr=pipe, env=known | self.environment,
        )  # fmt: skip

    async def value(self, what: str, path: str) -> str:
        """One value of an object: `value("deploy/web", ".spec.replicas")`."""
        return await self("get", what, "-o", f"jsonpath={{{path}}}")

    def editing(self, script: str) -> "Kubectl":
        """The same with an editor that applies a `sed` script."""
        editor = self.home / "editor"
        editor.write_text(f"#!/bin/sh\nexec sed -i '{script}' \"$1\"\n")
        editor.chmod(0o755)
        return Kubectl(self.kubeconfig, self.namespace, self.home, {"EDITOR": str(editor)})
