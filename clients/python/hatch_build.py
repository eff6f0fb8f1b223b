"""Makes the asynchronous client whenever a wheel, an sdist or an editable install is built."""

from __future__ import annotations

import runpy
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class AsyncFromSync(BuildHookInterface[Any]):
    """Runs ``tools/async_from_sync.py``."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        runpy.run_path(str(Path(self.root) / "tools" / "async_from_sync.py"), run_name="__main__")
