"""Writes the rules down: `python -m admission.rules [--check] docs/rules.md`. CI runs it with --check."""

import argparse
import sys
from pathlib import Path

from admission.rules.documentation import render


def main() -> int:
    """Write the page, or with --check only say whether it is out of date; 1 if it is."""
    parser = argparse.ArgumentParser(prog="python -m admission.rules", description="Write the rules down.")
    parser.add_argument(
        "--check", action="store_true", help="change nothing; fail if the page is out of date"
    )
    parser.add_argument("page", type=Path)
    options = parser.parse_args()
    page: Path = options.page
    if not options.check:
        page.write_text(render(), "utf-8")
        return 0
    if page.is_file() and page.read_text("utf-8") == render():
        return 0
    sys.stderr.write(f"{page} is out of date: run python -m admission.rules {page}\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
