"""`pinfeather lint`: its arguments and exit status. Called by __main__; the work is done in `cli.lint`."""

import argparse
import sys


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Describe the command."""
    lint = commands.add_parser(
        "lint",
        help="check Canaries, MetricTemplates and AlertProviders in files, as admission does in a cluster",
        description="Checks files with the rules of docs/rules.md. Other objects in them, Deployments for "
        "instance, are what the rules look at around a Canary.",
        epilog="exit status: 0 nothing is refused, 1 something is, 2 a file cannot be read",
    )
    lint.add_argument(
        "paths", nargs="+", metavar="FILE|DIR|-", help="YAML or JSON, folders of it, or - for stdin"
    )
    lint.add_argument("--format", choices=("text", "json", "github"), default="text", help="default: text")
    lint.add_argument("--strict", action="store_true", help="fail on warnings as well")


def run(arguments: argparse.Namespace) -> int:
    """Check the files; returns the exit status."""
    from cli.lint import files, findings, output  # noqa: PLC0415 - help must not wait for it

    read = files.read(arguments.paths, sys.stdin)
    report = findings.Report(findings.find(read.objects), read.unreadable, len(read.objects))
    sys.stdout.write(output.FORMATS[arguments.format](report))
    return report.status(strict=arguments.strict)
