"""Makes ``operations_async`` and ``client_async.py`` of the plain forms; neither is committed."""

from __future__ import annotations

import re
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[1] / "src" / "fuseboard"
MADE = "# Made by tools/async_from_sync.py. Edit the synchronous form.\n"
FUNCTIONS = r"(?:[a-z]\w*|_json|_page|_list|__enter__|__exit__)"
RULES = [
    (rf"^    def ({FUNCTIONS}\()", r"    async def \1"),
    (r"self\._transport\.request\(", "await self._transport.request_async("),
    (r"(?<!await )self\.(request|_json|_page|_list)\(", r"await self.\1("),
    (r"^(\s+)self\.close\(\)", r"\1await self.close()"),
    (r"__enter__", "__aenter__"),
    (r"__exit__", "__aexit__"),
    (r"\bClient\b", "AsyncClient"),
    (r"A synchronous client; safe to share between threads and across a fork", "A client for coroutines"),
    (r"from \.operations\.", "from .operations_async."),
]


def made() -> dict[Path, str]:
    """Every file that is made, with its text."""
    files = {SOURCE / "client.py": SOURCE / "client_async.py"}
    for path in sorted((SOURCE / "operations").glob("*.py")):
        files[path] = SOURCE / "operations_async" / path.name
    return {target: converted(source) for source, target in files.items()}


def converted(source: Path) -> str:
    """The asynchronous form of a file."""
    text = source.read_text(encoding="utf-8")
    if source.name == "__init__.py":
        return MADE + '"""The operations for coroutines."""\n'
    if source.name == "core.py":
        text = text[: text.index("\ndef at(")].rstrip() + "\n"
        text = re.sub(r"from urllib\.parse import .*", "from urllib.parse import urlencode", text)
    for pattern, replacement in RULES:
        text = re.sub(pattern, replacement, text, flags=re.MULTILINE)
    if source.name not in ("core.py", "client.py"):
        # the functions are the same; only the class is another
        text = re.sub(
            r"from \.core import Core, Json, Spec, (.*)",
            r"from ..operations.core import Json, Spec, \1\nfrom .core import Core",
            text,
        )
    return MADE + text


def main() -> None:
    """Write them all, and remove what an operation that is gone has left."""
    files = made()
    for left in set((SOURCE / "operations_async").glob("*.py")) - set(files):
        left.unlink()
    for path, text in files.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
