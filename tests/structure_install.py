#!/usr/bin/env python3
"""What is installed can be used: a small program finds, links and runs the library through CMake (shared and static)
and through pkg-config, after the installed tree was moved.

usage: structure_install.py BUILD SOURCE"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

PROGRAM = """#include <ness/status.h>
#include <ness/version.h>
#include <stdio.h>
#include <string.h>
int main(void) { return puts(ness_version_text()) < 0 || strcmp(ness_version_text(), NESS_VERSION) != 0; }
"""
PROJECT = """cmake_minimum_required(VERSION 3.21)
project(user C)
find_package(ness @VERSION@ EXACT REQUIRED COMPONENTS static)
add_executable(shared user.c)
target_link_libraries(shared ness::ness)
add_executable(static user.c)
target_link_libraries(static ness::ness_static)
"""


def run(*command, **environment):
    words = [str(word) for word in command]
    done = subprocess.run(words, capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode != 0:
        sys.exit(f"failed: {' '.join(words)}\n{done.stdout}{done.stderr}")
    return done.stdout.strip()


def main():
    build = Path(sys.argv[1]).resolve()
    cache = (build / "CMakeCache.txt").read_text(encoding="utf-8")
    compiler = re.search(r"^CMAKE_C_COMPILER:\w+=(.*)$", cache, re.MULTILINE)[1]
    version = re.search(r"^CMAKE_PROJECT_VERSION:\w+=(.*)$", cache, re.MULTILINE)[1]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        run("cmake", "--install", build, "--prefix", root / "first")
        prefix = (root / "first").rename(root / "moved")
        (root / "user.c").write_text(PROGRAM, encoding="utf-8")
        (root / "CMakeLists.txt").write_text(PROJECT.replace("@VERSION@", version), encoding="utf-8")
        printed = {}

        run("cmake", "-S", root, "-B", root / "user", f"-DCMAKE_PREFIX_PATH={prefix}", f"-DCMAKE_C_COMPILER={compiler}")
        run("cmake", "--build", root / "user")
        for kind in ("shared", "static"):
            printed[f"cmake {kind}"] = run(root / "user" / kind)

        if shutil.which("pkg-config"):
            pc = next(prefix.rglob("ness.pc"))
            flags = run("pkg-config", "--cflags", "--libs", "ness", PKG_CONFIG_PATH=str(pc.parent)).split()
            run(compiler, root / "user.c", "-o", root / "by_pc", *flags)
            printed["pkg-config"] = run(root / "by_pc", LD_LIBRARY_PATH=str(pc.parent.parent))
        if list(prefix.glob("bin/ness")):
            run(prefix / "bin/ness", "version")

    for how, words in printed.items():
        print(f"{how}: {words}")
    return any(words != version for words in printed.values())


if __name__ == "__main__":
    sys.exit(main())
