#!/usr/bin/env python3
"""Every C source is as clang-format 14 would write it; skipped where that version is not at hand. Mend: ./dev format.

usage: structure_format.py BUILD SOURCE"""
import re
import shutil
import subprocess
import sys
from pathlib import Path

VERSION = "14"
ROOMS = ["include", "engine", "networks", "analysis", "cli", "python", "tests", "bench"]
SKIPPED = 77


def find_tool():
    for name in (f"clang-format-{VERSION}", "clang-format"):
        if shutil.which(name):
            words = subprocess.run([name, "--version"], capture_output=True, text=True).stdout
            if re.search(rf"version {VERSION}\.", words):
                return name
    return None


def main():
    source = Path(sys.argv[2])
    tool = find_tool()
    if not tool:
        print(f"skipped: no clang-format {VERSION}")
        return SKIPPED
    files = sorted(path for room in ROOMS for end in ("c", "h", "cpp") for path in (source / room).rglob(f"*.{end}"))
    crooked = []
    for file in files:
        text = file.read_bytes()
        straight = subprocess.run([tool, f"--assume-filename={file.resolve()}"], input=text, check=True,
                                  capture_output=True).stdout
        if straight != text:
            crooked.append(file)
    for file in crooked:
        print(f"{file.relative_to(source)}: not as clang-format writes it", file=sys.stderr)
    print(f"{len(files)} files, {len(crooked)} to format")
    return bool(crooked) or not files


if __name__ == "__main__":
    sys.exit(main())
