# src/exchange/binance_resilient.py
"""
Resilient Binance Client
"""

from src.infra.resilience import circuit_breaker, rate_limit, retry
from src.infra.monitoring import get_logger, get_metrics_collector

logger = get_logger(__name__)
metrics = get_metrics_collector()


class ResilientBinanceClient:
    """Binance Client mit höherem Rate Limit"""
    
    @rate_limit(name="binance_api", requests_per_second=15)
    @circuit_breaker(name="binance_api", failure_threshold=5)
    @retry(max_attempts=3, initial_delay=1.0)
    async def fetch_ticker_with_retry(self, symbol: str):
        """
        Ticker mit Retry-Logic
        
        - Rate Limit: 15 req/s (Binance erlaubt mehr)
        - Circuit Breaker: Schützt bei Ausfällen
        - Retry: 3 Versuche mit Exponential Backoff
        """
        with metrics.timer("binance_ticker_latency"):
            # API call hier
            pass
