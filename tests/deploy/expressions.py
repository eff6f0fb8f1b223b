"""What a PromQL expression needs of a page of metrics."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

#: Names with which Prometheus itself, or the process collector, knows a target.
OF_PROMETHEUS = {"up", "ALERTS"}
OF_TARGET = {"job", "instance"}

SELECTOR = re.compile(r"\b(up|(?:fuseboard|resilience4j|process)_\w+)(?:\s*\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)"')
GROUPING = re.compile(r"\b(?:by|on|without|ignoring)\s*\(([^)]*)\)")
SERIES = re.compile(r"^(\w+)(?:\{(.*)\})? \S+$")
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass
class Page:
    """Names, labels and their values of all series of a page."""

    text: str
    labels: dict[str, dict[str, set[str]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for line in self.text.splitlines():
            if found := SERIES.match(line):
                labels = self.labels.setdefault(found[1], {})
                for label, value in LABEL.findall(found[2] or ""):
                    labels.setdefault(label, set()).add(value)


def problems(expression: str, page: Page, unseen: set[tuple[str, str]]) -> Iterator[str]:
    """What the page does not have. `unseen` are pairs of labels and values that exist, but not here."""
    known = set(OF_TARGET)
    for name, matchers in SELECTOR.findall(expression):
        if name in OF_PROMETHEUS:
            continue
        if name not in page.labels:
            yield f"no metric {name}"
            continue
        labels = page.labels[name]
        known |= set(labels)
        for label, operator, value in MATCHER.findall(matchers):
            if label in OF_TARGET:
                continue
            if label not in labels:
                yield f"{name} has no label {label}"
            elif "$" not in value:
                for one in value.split("|") if "~" in operator else [value]:
                    if one not in labels[label] and (label, one) not in unseen:
                        yield f"{name} has {label} in {sorted(labels[label])}, not {one!r}"
    for group in GROUPING.findall(expression):
        for label in filter(None, (part.strip() for part in group.split(","))):
            if label not in known:
                yield f"nothing in it has the label {label}"
