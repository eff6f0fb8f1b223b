"""``python -m fuseboard.health``: runs the checks and prints the report; exit status 1 on red, else 0."""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path

from .checker import TIMEOUT_SECONDS, HealthChecker


def main(arguments: list[str] | None = None) -> int:
    """Run the checks of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m fuseboard.health",
        description="Run health checks. The exit status is 1 on red, else 0.",
    )
    parser.add_argument("checks", nargs="*", metavar="CHECK", help="which; all, if none is named")
    parser.add_argument(
        "--import", dest="modules", action="append", default=[], metavar="MODULE", help="registers checks"
    )
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument(
        "--timeout", type=float, default=TIMEOUT_SECONDS, help="seconds that a check may take"
    )
    given = parser.parse_args(arguments)
    sys.path.insert(0, str(Path.cwd()))
    for module in given.modules:
        importlib.import_module(module)
    checker = HealthChecker(given.checks or None, timeout_seconds=given.timeout)
    results = checker.run_all_checks_sync()
    print(checker.format_results_json(results) if given.json else checker.format_results_cli(results))
    return int(checker.get_overall_status(results) == "red")


if __name__ == "__main__":
    sys.exit(main())
