#!/usr/bin/env python3
"""Every relative link of a Markdown page leads to a file, and every room opens with a README of 8 to 30 lines.

usage: structure_links.py BUILD SOURCE"""
import re
import sys
import tempfile
from pathlib import Path

ROOMS = """include/ness engine/base engine/rng engine/model engine/ssa engine/cme engine/ode engine/dump
    networks/lang networks/thermo networks/experiment networks/import networks/models analysis analysis/report
    cli python tests bench docs""".split()

CODE = re.compile(r"^ {0,3}(```|~~~).*?^ {0,3}\1|`[^`\n]+`", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(\s*<?([^)\s>]+)>?[^)]*\)|^\[[^\]]+\]:\s*<?(\S+?)>?\s*$", re.MULTILINE)


def pages(root):
    for path in sorted(root.rglob("*.md")):
        parts = path.relative_to(root).parts
        if not any(part.startswith((".", "build")) for part in parts[:-1]):
            yield path


def check(root):
    """(number of links followed, list of failures)"""
    root = root.resolve()
    count, failures = 0, []
    for page in pages(root):
        for match in LINK.finditer(CODE.sub("", page.read_text(encoding="utf-8"))):
            target = (match[1] or match[2]).split("#")[0]
            if not target or re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            count += 1
            base = root if target.startswith("/") else page.parent
            if not (base / target.lstrip("/")).exists():
                failures.append(f"{page.relative_to(root)}: no such file: {target}")
    for room in ROOMS:
        folder = root / room
        if not any(path.is_file() for path in folder.glob("*")):
            continue
        readme = folder / "README.md"
        lines = len(readme.read_text(encoding="utf-8").splitlines()) if readme.exists() else 0
        if not 8 <= lines <= 30:
            failures.append(f"{room}/README.md: {lines} lines, should be 8 to 30")
    return count, failures


def self_test():
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / "cli").mkdir()
        (root / "cli/main.c").write_text("\n", encoding="utf-8")
        (root / "a.md").write_text("[a](a.md#top) [b](b.md) `[c](c.md)` [w](https://x.org)\n\n[d]: d.md\n",
                                   encoding="utf-8")
        count, failures = check(root)
    expected = ["a.md: no such file: b.md", "a.md: no such file: d.md", "cli/README.md: 0 lines, should be 8 to 30"]
    return [] if (count, failures) == (3, expected) else [f"self-test: {count} links, {failures}"]


def main():
    failures = self_test()
    count, found = check(Path(sys.argv[2]))
    failures += found
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{count} links, {len(failures)} failures")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
