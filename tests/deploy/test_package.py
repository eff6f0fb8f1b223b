"""What the Debian package is made of, without a release build and without building it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from conftest import DEPLOY, ROOT
from server import BINARY

_DESCRIBE = ["cargo", "metadata", "--no-deps", "--offline", "--format-version=1"]
CARGO = json.loads(subprocess.run(_DESCRIBE, cwd=ROOT, check=True, capture_output=True).stdout)["packages"][0]
DEB = CARGO["metadata"]["deb"]
PROGRAM = "target/release/fuseboard"
#: What cargo-deb takes from the folder of units by itself.
FOUND = {
    "deploy/systemd/fuseboard.service": "usr/lib/systemd/system/fuseboard.service",
    "deploy/systemd/fuseboard.sysusers": "usr/lib/sysusers.d/fuseboard.conf",
}


@pytest.fixture(scope="module")
def files() -> list[tuple[Path, PurePosixPath]]:
    """Where each file comes from, and where it is put."""
    subprocess.run(["make", "--silent", "packaged", f"BIN={BINARY}"], cwd=ROOT, check=True)
    pairs = []
    for source, target, _mode in [*DEB["assets"], *((*pair, "644") for pair in FOUND.items())]:
        found = [Path(BINARY)] if source == PROGRAM else sorted(ROOT.glob(source))
        assert found, f"{source} is not there"
        names = [PurePosixPath(target, path.name) if target.endswith("/") else target for path in found]
        pairs += [(path, PurePosixPath(name)) for path, name in zip(found, names, strict=True)]
    return pairs


def at(files: list[tuple[Path, PurePosixPath]], target: str) -> str:
    return next(source for source, name in files if str(name) == target).read_text()


def test_no_place_is_taken_twice(files: list[tuple[Path, PurePosixPath]]) -> None:
    targets = [str(target) for _, target in files]
    assert sorted(set(targets)) == sorted(targets)
    assert not [target for target in targets if target.startswith("/")]
    assert all(source.stat().st_size for source, _ in files)


def test_each_command_has_a_page_of_the_manual(files: list[tuple[Path, PurePosixPath]]) -> None:
    said = subprocess.run([BINARY, "help"], check=True, capture_output=True, text=True).stdout
    commands = set(re.findall(r"^  ([a-z-]+)  ", said, re.MULTILINE)) - {"help"}
    assert {"serve", "top", "backup", "retry-policy"} <= commands
    for page in ["fuseboard", *(f"fuseboard-{command}" for command in commands)]:
        text = at(files, f"usr/share/man/man1/{page}.1")
        assert f".TH {page} 1 " in text, page
        assert ".SH SYNOPSIS" in text, page


@pytest.mark.parametrize(
    "place",
    [
        "usr/share/bash-completion/completions/fuseboard",
        "usr/share/zsh/vendor-completions/_fuseboard",
        "usr/share/fish/vendor_completions.d/fuseboard.fish",
    ],
)
def test_shells_complete_its_words(files: list[tuple[Path, PurePosixPath]], place: str) -> None:
    text = at(files, place)
    assert "maintenance-window" in text
    assert "--insecure-no-auth" in text or "insecure-no-auth" in text


def test_bash_completes_a_command(files: list[tuple[Path, PurePosixPath]]) -> None:
    source = next(source for source, name in files if "bash-completion" in str(name))
    script = (
        f"source '{source}'; COMP_WORDS=(fuseboard limi); COMP_CWORD=1; "
        '_fuseboard fuseboard limi fuseboard; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(["bash", "-c", script], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["limiter"]


def test_the_changelog_is_of_this_version() -> None:
    first = (ROOT / DEB["changelog"]).read_text().splitlines()[0]
    assert first.startswith(f"{CARGO['name']} ({CARGO['version']}-1) ")
    assert (ROOT / DEB["license-file"][0]).is_file()


def test_scripts_are_right_and_take_what_is_made_for_them() -> None:
    scripts = [ROOT / DEB["maintainer-scripts"] / name for name in ("postinst", "postrm")]
    for script in scripts:
        subprocess.run(["sh", "-n", script], check=True)
        assert script.read_text().count("\n#DEBHELPER#\n") == 1, script


def test_configuration_is_kept_on_upgrades_and_is_right(
    files: list[tuple[Path, PurePosixPath]], tmp_path: Path
) -> None:
    text = at(files, "etc/fuseboard/fuseboard.toml")
    assert DEB["conf-files"] == ["/etc/fuseboard/fuseboard.toml"]
    assert re.search(r'^listen = "127\.0\.0\.1:\d+"', text, re.MULTILINE)
    assert "/usr/share/doc/fuseboard/examples/fuseboard.toml" in text
    assert at(files, "usr/share/doc/fuseboard/examples/fuseboard.toml")


def test_the_unit_runs_what_is_packaged(files: list[tuple[Path, PurePosixPath]], tmp_path: Path) -> None:
    unit = (DEPLOY / "systemd/fuseboard.service").read_text()
    placed = {f"/{target}" for _, target in files}
    assert re.search(r"^ExecStart=(\S+)", unit, re.MULTILINE)[1] in placed  # type: ignore[index]
    assert re.search(r"FUSEBOARD_CONFIG=(\S+)", unit)[1] in placed  # type: ignore[index]
    user = re.search(r"^User=(\S+)", unit, re.MULTILINE)[1]  # type: ignore[index]
    assert f"\nu {user} " in at(files, "usr/lib/sysusers.d/fuseboard.conf")
    if not (analyze := shutil.which("systemd-analyze")):
        return
    # It wants to find the program.
    copy = tmp_path / "fuseboard.service"
    copy.write_text(unit.replace("/usr/bin/fuseboard", str(BINARY)))
    done = subprocess.run([analyze, "verify", "--man=no", copy], capture_output=True, text=True)
    complaints = [line for line in (done.stdout + done.stderr).splitlines() if "fuseboard" in line]
    assert (done.returncode, complaints) == (0, [])
