"""`python -m benchmarks`: measure, print a table, write JSON. A missed target is no failure."""

import argparse
import asyncio
import os
import platform
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson

from benchmarks import admission, apiserver, floor, memory, reaction, request_counts, sandbox_start
from benchmarks.figures import Figure, table

GROUPS: Mapping[str, Callable[[], Awaitable[list[Figure]]]] = {
    "requests": request_counts.measure,
    "reaction": reaction.measure,
    "memory": memory.measure,
    "sandbox": sandbox_start.measure,
    "floor": floor.measure,
    "apiserver": apiserver.measure,
    "admission": admission.measure,
}


def main() -> int:
    """Run the groups that were asked for; the exit code is 1 if one of them could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Measure speed and size.")
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)}; default: all")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures, with every sample")
    told = parser.parse_args()
    if unknown := set(told.groups) - GROUPS.keys():
        parser.error(f"no such group: {', '.join(sorted(unknown))}; there are {', '.join(GROUPS)}")
    figures, failed = asyncio.run(_measure(told.groups or list(GROUPS)))
    about = _about()
    print(f"{about['machine']}, {about['cores']} cores, Python {about['python']}, {about['time']}\n")
    print(table(figures))
    if told.json:
        report = {"about": about, "figures": [{**asdict(each), "met": each.met} for each in figures]}
        told.json.write_bytes(orjson.dumps(report, option=orjson.OPT_INDENT_2))
    return 1 if failed else 0


async def _measure(groups: list[str]) -> tuple[list[Figure], list[str]]:
    figures: list[Figure] = []
    failed: list[str] = []
    for name in groups:
        print(f"measuring {name} …", file=sys.stderr)
        try:
            figures += await GROUPS[name]()
        except (RuntimeError, TimeoutError) as problem:
            print(f"{name} could not be measured: {problem}", file=sys.stderr)
            failed.append(name)
    return figures, failed


def _about() -> dict[str, Any]:
    return {
        "machine": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": os.getloadavg(),
        "time": datetime.now(tz=UTC).isoformat(timespec="seconds"),
    }


if __name__ == "__main__":
    sys.exit(main())
