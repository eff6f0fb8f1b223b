# src/portfolio/monitored_portfolio.py
"""
Portfolio Manager mit Metriken und Alerts
"""

from src.portfolio import PortfolioManager
from src.infra.monitoring import (
    get_logger,
    get_metrics_collector,
    get_alert_manager,
    AlertThreshold,
    AlertLevel,
)

logger = get_logger(__name__)
metrics = get_metrics_collector()
alerts = get_alert_manager()


class MonitoredPortfolioManager:
    """Portfolio Manager mit Monitoring"""
    
    def __init__(self):
        self.portfolio = PortfolioManager()
        self._setup_alerts()
    
    def _setup_alerts(self):
        """Konfiguriere Alerts für Portfolio-Metriken"""
        # Alert bei hoher Drawdown
        alerts.add_threshold(AlertThreshold(
            metric_name="portfolio_drawdown",
            threshold=0.15,  # 15%
            level=AlertLevel.WARNING,
            comparison=">",
            message_template="Portfolio drawdown too high: {value:.2%}"
        ))
        
        # Alert bei niedrigem Sharpe
        alerts.add_threshold(AlertThreshold(
            metric_name="portfolio_sharpe",
            threshold=1.0,
            level=AlertLevel.WARNING,
            comparison="<",
            message_template="Sharpe ratio too low: {value:.2f}"
        ))
    
    def run_backtest_monitored(self, strategies, data):
        """Backtest mit Metriken und Alerts"""
        logger.info("Starting monitored backtest")
        
        with metrics.timer("portfolio_backtest_duration"):
            result = self.portfolio.run_backtest(strategies, data)
        
        # Metriken erfassen
        metrics.set_gauge("portfolio_sharpe", result.sharpe_ratio)
        metrics.set_gauge("portfolio_return", result.total_return)
        metrics.set_gauge("portfolio_drawdown", abs(result.max_drawdown))
        
        # Alerts prüfen
        alerts.check_metric("portfolio_drawdown", abs(result.max_drawdown))
        alerts.check_metric("portfolio_sharpe", result.sharpe_ratio)
        
        logger.info(
            "Backtest completed",
            extra={
                "sharpe": result.sharpe_ratio,
                "drawdown": result.max_drawdown,
            }
        )
        
        return result
