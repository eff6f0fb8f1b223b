"""The client for coroutines is in no commit, and in every package."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
PROJECT = Path("clients") / "python"
MADE = ("client_async.py", "operations_async")


def built(project: Path, kind: str, into: Path) -> Path:
    """The package that the build backend makes."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", kind, "--directory", str(into)]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(into.iterdir())


def fresh_clone(place: Path) -> Path:
    """The project as git has it: with its rules of what is ignored, and without what they name."""
    (place / ".git").mkdir(parents=True)
    shutil.copy(ROOT / ".gitignore", place)
    ignored = shutil.ignore_patterns(*MADE, "__pycache__", ".*_cache", "dist")
    return Path(shutil.copytree(ROOT / PROJECT, place / PROJECT, ignore=ignored))


def names_in(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return {name for name in archive.namelist() if name.startswith("fuseboard/")}


def test_a_wheel_of_a_fresh_clone_and_one_of_its_sdist_have_the_asynchronous_client(tmp_path: Path) -> None:
    clone = fresh_clone(tmp_path / "clone")
    sources = [
        path.relative_to(clone / "src").as_posix() for path in clone.glob("src/fuseboard/operations/*.py")
    ]
    expected = {name.replace("/operations/", "/operations_async/") for name in sources}
    assert len(expected) > 4
    sdist = built(clone, "sdist", tmp_path / "sdist")
    shutil.rmtree(clone / "src" / "fuseboard" / "operations_async")
    direct = names_in(built(clone, "wheel", tmp_path / "wheel"))
    assert expected | {"fuseboard/client_async.py"} <= direct
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "unpacked", filter="data")
    (unpacked,) = (tmp_path / "unpacked").iterdir()
    assert names_in(built(unpacked, "wheel", tmp_path / "wheel_of_sdist")) == direct
