# src/live/resilient_session.py
"""
Live Trading Session mit Resilience
"""

from src.live import PaperBroker
from src.infra.health import HealthChecker
from src.infra.backup import BackupManager
from src.infra.monitoring import get_logger, get_metrics_collector

logger = get_logger(__name__)
metrics = get_metrics_collector()


class ResilientLiveSession:
    """Live Session mit Resilience Features"""
    
    def __init__(self):
        self.broker = PaperBroker()
        self.backup_manager = BackupManager()
        self.health_checker = HealthChecker()
    
    async def start_session(self, strategy):
        """Start Live Session mit Health Checks"""
        # Pre-Flight Health Check
        logger.info("Running pre-flight health checks")
        health_results = await self.health_checker.run_all_checks()
        
        overall = self.health_checker.get_overall_status(health_results)
        if overall == "red":
            logger.error("Health check failed - cannot start session")
            raise RuntimeError("System not healthy")
        
        # Backup erstellen
        backup_id = self.backup_manager.create_backup(
            {
                "session_start": {
                    "strategy": strategy.name,
                    "timestamp": "2025-12-18T08:00:00",
                }
            },
            backup_type="pre_session"
        )
        logger.info(f"Created session backup: {backup_id}")
        
        # Session starten
        logger.info("Starting live session", extra={"strategy": strategy.name})
        metrics.increment("live_sessions_started")
        
        # Session läuft...
        return backup_id
    
    async def monitor_session(self):
        """Kontinuierliches Monitoring während Session"""
        while True:
            # Health Check alle 60 Sekunden
            results = await self.health_checker.run_all_checks()
            
            for name, result in results.items():
                if result.status == "red":
                    logger.critical(
                        f"Health check failed: {name}",
                        extra={"check": name, "message": result.message}
                    )
                    # Ggf. Session stoppen
            
            await asyncio.sleep(60)
