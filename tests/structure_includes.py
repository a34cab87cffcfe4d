#!/usr/bin/env python3
"""The arrows between the rooms: every #include must be on the list below, and no rooms may include in a circle.

usage: structure_includes.py BUILD SOURCE. Planted trees, one for each offence, show first that the test can fail."""
import re
import sys
import tempfile
from pathlib import Path

PUBLIC = "include/ness"
ANY = None  # may include everything

# room -> the rooms it may include besides itself
ARROWS = {
    PUBLIC: set(),
    "engine/base": {PUBLIC},
    "engine/file": {PUBLIC, "engine/base"},
    "engine/rng": {"engine/base"},
    "engine/model": {PUBLIC, "engine/base", "engine/rng"},
    "engine/ssa": {PUBLIC, "engine/base", "engine/rng", "engine/model", "engine/dump"},
    "engine/replicas": {PUBLIC, "engine/base"},
    "engine/motion": {PUBLIC, "engine/base", "engine/replicas", "engine/rng", "engine/model"},
    "engine/hybrid": {PUBLIC, "engine/base", "engine/replicas", "engine/rng", "engine/model", "engine/motion"},
    "engine/markov": {PUBLIC, "engine/base"},
    "engine/cme": {PUBLIC, "engine/base", "engine/rng", "engine/model", "engine/markov"},
    "engine/ode": {PUBLIC, "engine/base", "engine/model"},
    "engine/dump": {PUBLIC, "engine/base", "engine/model"},
    "networks/thermo": {PUBLIC, "engine/base", "engine/model"},
    "networks/lang": {PUBLIC, "engine/base", "engine/model", "networks/thermo"},
    "analysis": {PUBLIC, "engine/base", "engine/file", "engine/rng", "engine/model", "engine/dump", "engine/cme"},
    "analysis/report": {PUBLIC, "engine/base", "engine/model", "analysis"},
    "networks/import": {PUBLIC, "engine/base", "engine/file", "engine/model", "engine/markov"},
    "networks/experiment": {PUBLIC, "engine/base", "engine/rng", "engine/model", "engine/ssa", "engine/motion", "engine/hybrid", "engine/markov", "engine/cme",
                            "engine/ode", "engine/dump", "networks/lang", "networks/thermo", "networks/import", "analysis", "analysis/record", "analysis/report"},
    "cli": {PUBLIC},
    "python": {PUBLIC},
    "tests": ANY,
    "bench": ANY,
}

# header of a dependency -> the rooms that may name it (tests and bench always may)
OUTSIDE = {
    r"(msgpack|zstd|zdict|zstd_errors|xxhash)\b.*": {"engine/dump"},
    r"(klu|amd)\.h": {"engine/markov"},
    r"lapacke\.h": {"engine/markov", "engine/ode"},
    r"(cvode|nvector|sundials|sunlinsol|sunmatrix)/.*": {"engine/ode"},
    r"omp\.h": {"engine/ssa", "engine/replicas", "engine/markov", "engine/cme", "analysis", "networks/experiment"},
}

SUFFIXES = {".c", ".h", ".in", ".cpp", ".hpp"}
INCLUDE = re.compile(r"^[ \t]*#[ \t]*include\b[ \t]*(.*?)[ \t]*$", re.MULTILINE)
TARGET = re.compile(r'(?:"([^"]+)"|<([^>]+)>)')


def room_of(path):
    """The longest room that holds this path (relative to the root), or None."""
    holders = [room for room in ARROWS if path.startswith(room + "/")]
    return max(holders, key=len, default=None)


def resolve(root, file, quoted, angled):
    """The path inside the root that an include names, or None for a header of the system."""
    if angled is not None:
        return f"include/{angled}" if angled.startswith("ness/") else None
    for folder in (file.parent, root, root / "include"):
        found = (folder / quoted).resolve()
        if found.is_file() and found.is_relative_to(root):
            return found.relative_to(root).as_posix()
    return None


def find_circle(graph):
    """A list of rooms that include in a circle, or None."""
    done = set()

    def walk(room, path):
        if room in path:
            return path[path.index(room):] + [room]
        if room in done:
            return None
        for following in sorted(graph.get(room, ())):
            circle = walk(following, path + [room])
            if circle:
                return circle
        done.add(room)
        return None

    return next(filter(None, (walk(room, []) for room in sorted(graph))), None)


def check(root, arrows=None):
    """(number of includes read, list of offences) of the tree below root."""
    root = root.resolve()
    arrows = arrows or ARROWS
    count, offences, graph = 0, [], {}
    tops = sorted({room.split("/")[0] for room in ARROWS})
    files = (file for top in tops for file in sorted((root / top).rglob("*")))
    for file in (file for file in files if file.suffix in SUFFIXES and file.is_file()):
        name = file.relative_to(root).as_posix()
        room = room_of(name)
        if room is None:
            offences.append(f"{name}: belongs to no room on the list")
            continue
        text = file.read_text(encoding="utf-8")
        for match in INCLUDE.finditer(text):
            count += 1
            place = f"{name}:{text.count(chr(10), 0, match.start()) + 1}"
            target = TARGET.match(match[1])
            if not target:
                offences.append(f"{place}: cannot read #include {match[1]}")
                continue
            path = resolve(root, file, *target.groups())
            if path is None:
                outside = target[1] or target[2]
                allowed = [rooms for pattern, rooms in OUTSIDE.items() if re.fullmatch(pattern, outside)]
                if arrows[room] is not ANY and any(room not in rooms for rooms in allowed):
                    offences.append(f"{place}: {outside} has no place in {room}")
                elif target[1] and not allowed and arrows[room] is not ANY:
                    offences.append(f"{place}: \"{outside}\" names no file of the tree")
                continue
            to = room_of(path)
            if to is None:
                offences.append(f"{place}: {path} belongs to no room on the list")
            elif to != room:
                graph.setdefault(room, set()).add(to)
                if arrows[room] is not ANY and to not in arrows[room]:
                    offences.append(f"{place}: {room} may not include {to}")
    circle = find_circle(graph)
    if circle:
        offences.append("rooms in a circle: " + " -> ".join(circle))
    return count, offences


# Trees that must be refused, each for the reason beside it; the first must pass.
GOOD = {
    "include/ness/ness.h": "#include <stdint.h>",
    "engine/base/base.h": "#include <ness/ness.h>",
    "engine/ssa/ssa.c": '#include "engine/base/base.h"\n#include <omp.h>',
    "cli/main.c": "#include <ness/ness.h>",
    "tests/a.c": '#include "engine/base/base.h"\n#include <msgpack.h>',
}
PLANTED = [
    ({"engine/base/a.c": '#include "engine/ssa/ssa.h"', "engine/ssa/ssa.h": ""}, "may not include engine/ssa"),
    ({"engine/base/a.c": '#include "../ssa/ssa.h"', "engine/ssa/ssa.h": ""}, "may not include engine/ssa"),
    ({"analysis/deep/a.c": '#  include "engine/ssa/ssa.h"', "engine/ssa/ssa.h": ""}, "may not include engine/ssa"),
    ({"cli/b.c": '#include "engine/base/base.h"'}, "may not include engine/base"),
    ({"include/ness/b.h": '#include "engine/base/base.h"'}, "may not include engine/base"),
    ({"engine/rng/a.c": "#include <ness/ness.h>"}, "may not include include/ness"),
    ({"analysis/a.c": "#include <msgpack/pack.h>"}, "has no place in analysis"),
    ({"networks/lang/a.c": "#include <zstd.h>"}, "has no place in networks/lang"),
    ({"engine/base/a.c": "#include <omp.h>"}, "has no place in engine/base"),
    ({"engine/attic/a.c": ""}, "belongs to no room"),
    ({"engine/base/a.c": '#include "gone.h"'}, "names no file"),
    ({"engine/base/a.c": "#include WHERE"}, "cannot read"),
]


def check_tree(files, arrows=None):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n", encoding="utf-8")
        return check(Path(folder), arrows)[1]


def self_test():
    failures = []
    if check_tree(GOOD):
        failures.append(f"the good tree is refused: {check_tree(GOOD)}")
    for files, reason in PLANTED:
        offences = check_tree({**GOOD, **files})
        if not any(reason in offence for offence in offences):
            failures.append(f"not caught: {files}: {reason}, only {offences}")
    circle = {"engine/model/a.h": '#include "engine/ssa/b.h"', "engine/ssa/b.h": '#include "engine/model/a.h"'}
    if not any("in a circle" in offence for offence in check_tree(circle, dict.fromkeys(ARROWS, ANY))):
        failures.append("not caught: a circle of rooms that the list allows")
    return failures


def main():
    failures = [f"self-test: {failure}" for failure in self_test()]
    count, offences = check(Path(sys.argv[2]))
    failures += offences
    if count == 0:
        failures.append("no #include found: wrong folder?")
    for failure in failures:
        print(failure, file=sys.stderr)
    print(f"{count} includes, {len(failures)} offences")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
