# scripts/scheduled_maintenance.py
"""
Scheduled Maintenance Tasks
"""

import asyncio
import schedule
import time
from datetime import datetime

from src.infra.health import HealthChecker
from src.infra.backup import BackupManager
from src.infra.monitoring import get_logger

logger = get_logger(__name__)


async def scheduled_health_check():
    """Stündlicher Health Check"""
    logger.info("Running scheduled health check")
    
    checker = HealthChecker()
    results = await checker.run_all_checks()
    
    # JSON für Monitoring-System
    json_output = checker.format_results_json(results)
    
    # In Datei speichern
    timestamp = datetime.now().strftime("%Y%m%d_%H%M%S")
    with open(f"logs/health_check_{timestamp}.json", "w") as f:
        f.write(json_output)
    
    overall = checker.get_overall_status(results)
    if overall == "red":
        logger.critical("Health check failed!")
        # Send alert
    
    logger.info(f"Health check completed: {overall}")


def scheduled_backup():
    """Tägliches Backup"""
    logger.info("Running scheduled backup")
    
    manager = BackupManager()
    
    # Sammle aktuellen State
    data = {
        "scheduled_backup": {
            "timestamp": datetime.now().isoformat(),
            # Portfolio state, config, etc.
        }
    }
    
    backup_id = manager.create_backup(data, backup_type="scheduled")
    logger.info(f"Scheduled backup created: {backup_id}")


def main():
    """Setup Scheduled Tasks"""
    # Health Check jede Stunde
    schedule.every().hour.do(lambda: asyncio.run(scheduled_health_check()))
    
    # Backup täglich um 2 Uhr nachts
    schedule.every().day.at("02:00").do(scheduled_backup)
    
    logger.info("Scheduled tasks initialized")
    
    while True:
        schedule.run_pending()
        time.sleep(60)


if __name__ == "__main__":
    main()
