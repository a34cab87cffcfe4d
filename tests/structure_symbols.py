#!/usr/bin/env python3
"""The shared library exports exactly the symbols of structure_symbols.txt, and all of them begin with ness_.

usage: structure_symbols.py BUILD SOURCE [--bless]. With --bless the list is written anew: the promise changes."""
import subprocess
import sys
from pathlib import Path


def exported(library):
    lines = subprocess.run(["nm", "-D", "--defined-only", library], check=True, capture_output=True, text=True).stdout
    names = {line.split()[-1].split("@")[0] for line in lines.splitlines()}
    return {name for name in names if not name.startswith(".")}  # the locks of OpenMP, by which clang's libraries meet


def main():
    build, source = Path(sys.argv[1]), Path(sys.argv[2])
    record = source / "tests/structure_symbols.txt"
    now = exported(build / "libness.so")
    if "--bless" in sys.argv[3:]:
        record.write_text("".join(f"{name}\n" for name in sorted(now)), encoding="utf-8")
    promised = set(record.read_text(encoding="utf-8").split()) if record.exists() else set()
    failures = [f"exported but not promised: {name}" for name in sorted(now - promised)]
    failures += [f"promised but not exported: {name}" for name in sorted(promised - now)]
    failures += [f"does not begin with ness_: {name}" for name in sorted(now) if not name.startswith("ness_")]
    if not now:
        failures.append("nothing is exported")
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{len(now)} exported symbols, {len(failures)} failures")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
