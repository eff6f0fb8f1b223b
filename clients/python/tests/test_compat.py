"""``fuseboard.compat.install()`` makes ``src.infra.*`` importable and leaves everything else alone."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from pathlib import Path

PACKAGES = ["resilience", "health", "backup", "monitoring"]

ALL_FOUR = """
    import fuseboard.compat
    fuseboard.compat.install()
    fuseboard.compat.install()
    import src.infra.health
    from src.infra import backup
    from src.infra.resilience import circuit_breaker, CircuitBreakerOpenError
    from src.infra.monitoring import *
    import fuseboard.resilience, fuseboard.health, fuseboard.backup
    assert circuit_breaker is fuseboard.resilience.circuit_breaker
    assert src.infra.health.HealthChecker is fuseboard.health.HealthChecker
    assert backup.BackupManager is fuseboard.backup.BackupManager
    assert get_logger("x").name == "x"
    assert fuseboard.resilience.__spec__.name == "fuseboard.resilience"
"""


def run(folder: Path, code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def write(folder: Path, **files: str) -> None:
    for name, body in files.items():
        path = folder / (name.replace("__", "/").replace("INIT", "__init__") + ".py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(body)


def test_without_a_package_src(tmp_path: Path) -> None:
    run(tmp_path, ALL_FOUR)


def test_beside_a_package_of_that_name(tmp_path: Path) -> None:
    write(tmp_path, src__INIT="VERSION = 7", src__exchange__INIT="", src__exchange__client="NAME = 'mine'")
    code = ALL_FOUR + "\n    import src.exchange.client\n    print(src.VERSION, src.exchange.client.NAME)"
    assert run(tmp_path, code) == "7 mine"


def test_beside_a_folder_without_init(tmp_path: Path) -> None:
    write(tmp_path, src__exchange__client="NAME = 'mine'")
    code = ALL_FOUR + "\n    from src.exchange.client import NAME\n    print(NAME)"
    assert run(tmp_path, code) == "mine"


def test_beside_a_package_src_infra(tmp_path: Path) -> None:
    write(tmp_path, src__INIT="", src__infra__INIT="OWN = 1", src__infra__database="NAME = 'mine'")
    code = ALL_FOUR + "\n    from src.infra.database import NAME\n    print(src.infra.OWN, NAME)"
    assert run(tmp_path, code) == "1 mine"


def test_a_module_that_is_there_is_used(tmp_path: Path) -> None:
    write(tmp_path, src__INIT="", src__infra__INIT="", src__infra__health="HealthChecker = 'mine'")
    code = """
        import fuseboard.compat
        fuseboard.compat.install()
        from src.infra.health import HealthChecker
        from src.infra.backup import BackupManager
        print(HealthChecker, BackupManager.__module__)
    """
    assert run(tmp_path, code) == "mine fuseboard.backup.manager"


def test_what_is_not_provided_is_missing_as_before(tmp_path: Path) -> None:
    code = """
        import fuseboard.compat
        for step in (lambda: None, fuseboard.compat.install, fuseboard.compat.uninstall):
            step()
            for name in ("src.infra.nothing", "src.exchange", "infra.health"):
                try:
                    __import__(name)
                except ModuleNotFoundError:
                    continue
                raise AssertionError(name)
        try:
            import src.infra.health
        except ModuleNotFoundError:
            print("gone")
    """
    assert run(tmp_path, code) == "gone"


def test_a_package_that_appears_later_is_found(tmp_path: Path) -> None:
    write(tmp_path / "later", src__exchange__client="NAME = 'mine'")
    code = f"""
        import sys, fuseboard.compat
        fuseboard.compat.install()
        import src.infra.health
        sys.path.append({str(tmp_path / "later")!r})
        from src.exchange.client import NAME
        print(NAME)
    """
    assert run(tmp_path, code) == "mine"


def test_a_plain_package_of_one_line_does_it_as_well(tmp_path: Path) -> None:
    for name in PACKAGES:
        write(tmp_path, **{f"src__infra__{name}": f"from fuseboard.{name} import *"})
    run(tmp_path, "from src.infra.health import HealthChecker; from src.infra.resilience import retry")
