# src/backtest/resilient_engine.py
"""
Backtest Engine mit Health Checks und Backup
"""

from src.backtest import BacktestEngine
from src.infra.health import HealthChecker
from src.infra.backup import BackupManager
from src.infra.monitoring import get_logger, get_metrics_collector

logger = get_logger(__name__)
metrics = get_metrics_collector()


async def run_backtest_with_health_checks(strategy, data):
    """
    Führe Backtest mit Pre- und Post-Health-Checks aus
    """
    # Pre-Check: System-Health prüfen
    checker = HealthChecker(checks=["backtest", "risk"])
    results = await checker.run_all_checks()
    
    overall = checker.get_overall_status(results)
    if overall == "red":
        logger.error("Health check failed - aborting backtest")
        return None
    
    # Backup vor Backtest
    backup_manager = BackupManager()
    backup_id = backup_manager.create_backup(
        {"pre_backtest_state": {"strategy": strategy.name}},
        backup_type="pre_backtest"
    )
    logger.info(f"Created pre-backtest backup: {backup_id}")
    
    # Backtest ausführen
    with metrics.timer("backtest_duration"):
        try:
            engine = BacktestEngine()
            result = engine.run(strategy, data)
            
            metrics.increment("backtests_completed")
            logger.info(
                "Backtest completed",
                extra={
                    "sharpe": result.sharpe_ratio,
                    "return": result.total_return,
                }
            )
            
            return result
            
        except Exception as e:
            metrics.increment("backtests_failed")
            logger.error(f"Backtest failed: {e}")
            
            # Bei Fehler: Backup-Info loggen
            logger.info(f"Restore from backup: {backup_id}")
            raise
