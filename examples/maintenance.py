"""Hourly health checks and a nightly backup: the seed's fifth integration, with the package `schedule`.

Each job runs once, now, and the program ends; with --forever it stays, as in production. A process can die, so the board
watches it (a heartbeat), and can do both jobs by its own clock instead: --on-the-board declares them there, runs them once, and
needs no process of yours afterwards.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import schedule

import fuseboard
from fuseboard.backup import BackupManager
from fuseboard.health import HealthChecker, health_check
from fuseboard.monitoring import get_logger
from fuseboard.settings import settings_from

from scene import board, heading

logger = get_logger(__name__)

HEARTBEAT = "scheduled_maintenance"


@health_check("portfolio")
def portfolio() -> tuple[str, str, dict[str, Any]]:
    """A check of this process; the board's own join in."""
    return "green", "all positions are priced", {"positions": 3}


async def scheduled_health_check(folder: Path) -> None:
    """Run all checks, keep the report."""
    results = await HealthChecker().run_all_checks()
    report = folder / f"health_check_{datetime.now():%Y%m%d_%H%M%S}.json"
    report.write_text(HealthChecker.format_results_json(results))
    print(f"  health: {HealthChecker.get_overall_status(results)}, {len(results)} checks, report in {report}")


def scheduled_backup() -> None:
    """Back the state up."""
    data = {"scheduled_backup": {"timestamp": datetime.now().isoformat(), "portfolio": {"BTC/EUR": 1.4}}}
    print(f"  backup: {BackupManager().create_backup(data, backup_type='scheduled')}")


def watched(client: fuseboard.Client, job: Callable[[], None]) -> Callable[[], None]:
    """Tell the board how a job went; the board tells others when nothing comes."""

    def run() -> None:
        try:
            job()
        except Exception as error:
            logger.exception("a scheduled job failed")
            print(f"  failed: {error}")
            client.ping_signal_post(HEARTBEAT, "fail")
        else:
            client.ping_post(HEARTBEAT)

    return run


def in_this_process(client: fuseboard.Client, folder: Path, forever: bool) -> None:
    """The jobs of the `schedule` package."""
    client.check_put(HEARTBEAT, {"kind": "heartbeat", "interval_seconds": 3600, "grace_seconds": 600})
    folder.mkdir(parents=True, exist_ok=True)
    schedule.every().hour.do(watched(client, lambda: asyncio.run(scheduled_health_check(folder))))
    schedule.every().day.at("02:00").do(watched(client, scheduled_backup))
    heading("Each job once, now")
    schedule.run_all()
    heading("From now on")
    for job in schedule.get_jobs():
        print(f"  every {job.interval} {job.unit}, next at {job.next_run:%Y-%m-%d %H:%M}")
    seen = client.check_get(HEARTBEAT)
    print(f"  the board's heartbeat {HEARTBEAT}: {seen['status']}; it turns red if an hour and ten minutes pass without")
    while forever:
        schedule.run_pending()
        time.sleep(1)


def on_the_board(client: fuseboard.Client) -> None:
    """The same by the server's own clock."""
    # Something to look at, on a board that has nothing yet: in production, exchanges, feeds, other services.
    client.check_put("board", {"kind": "http", "url": f"{settings_from().url}/readyz", "interval_seconds": 60})
    nightly = {"kind": "create_backup", "backup_type": "scheduled", "source": {"kind": "board"}}
    client.schedule_put("hourly_checks", {"cron": "@hourly", "action": {"kind": "run_checks"}})
    client.schedule_put(
        "nightly_backup",
        {"cron": "0 2 * * *", "timezone": "Europe/Berlin", "misfire": "run_once", "action": nightly},
    )
    heading("Each schedule once, now")
    for name in ("hourly_checks", "nightly_backup"):
        run = client.schedule_run(name, wait_seconds=20)
        print(f"  {name}: {run['status']}")
        if run["status"] != "succeeded":
            print(f"      {run['output']}")
    heading("From now on, without this process")
    for name in ("hourly_checks", "nightly_backup"):
        print(f"  {name}: next at {client.schedule_get(name)['next_run_at']}")


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--reports", type=Path, default=Path("logs"), help="where reports go (default logs)")
    parser.add_argument("--forever", action="store_true", help="stay and run the jobs when they are due")
    parser.add_argument("--on-the-board", action="store_true", help="declare the jobs as schedules of the server")
    arguments = parser.parse_args()
    client = board()
    if arguments.on_the_board:
        on_the_board(client)
    else:
        in_this_process(client, arguments.reports, arguments.forever)


if __name__ == "__main__":
    main()
