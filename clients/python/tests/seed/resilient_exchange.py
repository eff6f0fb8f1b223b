# tests/integration/test_resilient_exchange.py
"""
Integration Tests für Resilient Exchange Client
"""

import pytest
from src.exchange.kraken_resilient import ResilientKrakenClient
from src.infra.resilience import get_circuit_breaker


@pytest.mark.asyncio
async def test_kraken_with_circuit_breaker():
    """Test Circuit Breaker Integration"""
    client = ResilientKrakenClient()
    
    # Erfolgreiche Calls
    ticker = await client.fetch_ticker_safe("BTC/EUR")
    assert ticker is not None
    
    # Check Circuit Breaker Status
    cb = get_circuit_breaker("kraken_api")
    state = cb.get_state()
    assert state["state"] == "closed"
    assert state["metrics"]["success_calls"] >= 1


@pytest.mark.asyncio
async def test_health_check_before_backtest():
    """Test Health Check vor Backtest"""
    from src.infra.health import HealthChecker
    from src.backtest.resilient_engine import run_backtest_with_health_checks
    
    # Health Check
    checker = HealthChecker(checks=["backtest"])
    results = await checker.run_all_checks()
    
    assert results["backtest"].status in ["green", "yellow"]
