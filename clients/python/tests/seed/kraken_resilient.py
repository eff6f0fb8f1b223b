# src/exchange/kraken_resilient.py
"""
Resilient Kraken Exchange Client mit Circuit Breaker und Rate Limiting
"""

import asyncio
from typing import Dict, Any
from src.exchange.ccxt_client import CcxtExchangeClient
from src.infra.resilience import circuit_breaker, rate_limit
from src.infra.monitoring import get_logger, get_metrics_collector

logger = get_logger(__name__)
metrics = get_metrics_collector()


class ResilientKrakenClient:
    """Kraken Client mit Resilience Features"""
    
    def __init__(self, api_key: str = None, secret: str = None):
        self.client = CcxtExchangeClient(
            "kraken",
            api_key=api_key,
            secret=secret,
            enable_rate_limit=True
        )
    
    @rate_limit(name="kraken_api", requests_per_second=10)
    @circuit_breaker(name="kraken_api", failure_threshold=5, timeout_seconds=60)
    async def fetch_ticker_safe(self, symbol: str) -> Dict[str, Any]:
        """
        Hole Ticker mit Resilience-Schutz
        
        - Rate Limiting: Max 10 req/s
        - Circuit Breaker: Öffnet bei 5 Fehlern
        - Monitoring: Logged und gemessen
        """
        logger.info(f"Fetching ticker for {symbol}", extra={"symbol": symbol})
        metrics.increment("kraken_ticker_requests")
        
        with metrics.timer("kraken_ticker_latency"):
            try:
                ticker = self.client.fetch_ticker(symbol)
                metrics.increment("kraken_ticker_success")
                return ticker
            except Exception as e:
                metrics.increment("kraken_ticker_errors")
                logger.error(f"Ticker fetch failed: {e}", extra={"symbol": symbol})
                raise
    
    @rate_limit(name="kraken_api", requests_per_second=10)
    @circuit_breaker(name="kraken_ohlcv", failure_threshold=5)
    async def fetch_ohlcv_safe(self, symbol: str, timeframe: str = "1h") -> Any:
        """Hole OHLCV mit Resilience-Schutz"""
        logger.info(f"Fetching OHLCV", extra={"symbol": symbol, "timeframe": timeframe})
        
        with metrics.timer("kraken_ohlcv_latency"):
            try:
                data = self.client.fetch_ohlcv(symbol, timeframe)
                metrics.increment("kraken_ohlcv_success")
                return data
            except Exception as e:
                metrics.increment("kraken_ohlcv_errors")
                logger.error(f"OHLCV fetch failed: {e}")
                raise


# Verwendung
async def example_usage():
    client = ResilientKrakenClient()
    
    # Ticker abrufen - geschützt durch Circuit Breaker & Rate Limiting
    ticker = await client.fetch_ticker_safe("BTC/EUR")
    print(f"BTC Price: {ticker.last}")
    
    # OHLCV abrufen
    ohlcv = await client.fetch_ohlcv_safe("BTC/EUR", "1h")
    print(f"Candles: {len(ohlcv)}")
