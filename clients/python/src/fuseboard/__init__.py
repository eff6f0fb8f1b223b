"""Fuseboard: circuit breakers, rate limits and more, shared by many processes.

``fuseboard.resilience`` has the decorators, ``.health``, ``.backup`` and ``.monitoring`` what their names
say, ``fuseboard.Client`` and ``AsyncClient`` the plain API, ``fuseboard.configure`` the settings. Importing
connects to nothing.
"""

from .client import Client
from .client_async import AsyncClient
from .current import configure
from .errors import FuseboardError, FuseboardUnavailable

__version__ = "0.1.0"

__all__ = ["AsyncClient", "Client", "FuseboardError", "FuseboardUnavailable", "__version__", "configure"]
