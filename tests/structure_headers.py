#!/usr/bin/env python3
"""Each public header compiles alone, twice over, as C17 and as C++17, without a warning.

usage: structure_headers.py BUILD SOURCE"""
import shutil
import subprocess
import sys
from pathlib import Path

LANGUAGES = {"gcc": ["-xc", "-std=c17"], "g++": ["-xc++", "-std=c++17"]}
STRICT = ["-Wall", "-Wextra", "-Wconversion", "-Wshadow", "-pedantic", "-Werror", "-fsyntax-only"]

ANYTHING = "typedef int anything;\n"  # ISO C wants at least one declaration


def compiles(compiler, text, folders):
    command = [compiler, *LANGUAGES[compiler], *STRICT, *(f"-I{folder}" for folder in folders), "-"]
    run = subprocess.run(command, input=text, capture_output=True, text=True)
    return run.returncode == 0, run.stderr


def main():
    build, source = Path(sys.argv[1]), Path(sys.argv[2])
    folders = [source / "include", build / "include"]
    headers = sorted({path.relative_to(folder).as_posix() for folder in folders for path in folder.glob("ness/*.h")})
    failures = ["no header found"] if not headers else []
    for compiler in filter(shutil.which, LANGUAGES):
        if compiles(compiler, "#include <ness/no_such_header.h>\n", folders)[0]:
            failures.append(f"{compiler} accepts a header that does not exist")
        for header in headers:
            fine, words = compiles(compiler, f"#include <{header}>\n#include <{header}>\n{ANYTHING}", folders)
            if not fine:
                failures.append(f"{header} does not stand alone under {compiler}:\n{words}")
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{len(headers)} headers, {len(failures)} failures")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
