"""Instructions an event stay what they were: the jobs of bench/jobs.h, by every kernel and level that valgrind knows, against the
table beside this file, to 3 percent. Counts do not depend on the load of the machine: one thread, a fixed seed, a fixed
level of vector instructions, and the difference of two lengths of run, in which the start cancels. They do depend on the
compiler, which the table names; with another the test is skipped.
usage: tests/speed_instructions_slow.py BUILD SOURCE [--accept]   (--accept writes what was counted into the table)"""
import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

build, source = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
accept = "--accept" in sys.argv
table_path = source / "tests/speed_instructions.json"
TOLERANCE = 0.03
# How much another order of the reactions may change, by the method that ness takes. In the tree of sums, which it does not
# take for so many, leaves beside each other share a part of their way.
ORDERS = 0.05
SKIPPED = 77

# job, method, level, order, replicas and time of the shorter run, of the longer one
alone = lambda job, time, method="default", levels=("plain", "AVX2"), order="given": [
    (job, method, level, order, (1, time), (1, 3 * time)) for level in levels]
several = lambda job, time, order="given", method="default", levels=("plain", "AVX2"): [
    (job, method, level, order, (16, time), (40, time)) for level in levels]
RUNS = [
    *alone("ring", 500, "direct"), *several("ring", 100, method="direct"), *several("ring", 100, method="jumps", levels=("plain",)),
    *alone("fuel", 200, "direct"), *several("fuel", 20, method="direct"), *several("fuel", 20, method="jumps", levels=("plain",)),
    *alone("vilar", 25), *alone("vilar", 25, order="shuffled"), *several("vilar", 5), *several("vilar", 5, "shuffled"),
    *alone("dimer", 1), *several("dimer", 0.05),
    *alone("chain", 2, levels=("plain",)), *alone("chain", 2, levels=("plain",), order="shuffled"),
    *alone("chain", 2, "direct", ("plain",)), *alone("chain", 2, "direct", ("plain",), "shuffled"),
]


def command(run, length):
    job, method, level, order = run[:4]
    return [build / "tests/speed_print", job, method, level, order, str(length[0]), str(length[1])]


def name_of(run):
    job, method, level, order, (replicas, _), _ = run
    return ", ".join(w for w in (job, "in step" if replicas > 1 else "alone", level, method, order) if w not in ("default", "given"))


def counted(run, length, folder):
    """Instructions and events of one run."""
    out = pathlib.Path(folder) / f"{name_of(run)} {length}"
    done = subprocess.run(["valgrind", "--tool=callgrind", f"--callgrind-out-file={out}", *command(run, length)],
                          capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    if done.returncode:
        return None
    total = next(line for line in out.read_text().splitlines() if line.startswith(("summary:", "totals:")))
    return int(total.split()[1]), int(done.stdout.split(";")[0])


def per_event(run, folder):
    short, long = (counted(run, length, folder) for length in run[4:])
    if not short or not long:
        return None
    return (long[0] - short[0]) / (long[1] - short[1])


def skip(why):
    print(why)
    sys.exit(SKIPPED)


if not shutil.which("valgrind"):
    skip("no valgrind here")
first = subprocess.run(command(RUNS[0], (1, 1)), capture_output=True, text=True, check=True)
compiler = first.stdout.split(";")[1]
if not compiler.endswith("Release"):
    skip(f"counted in builds of type Release alone, this is one of {compiler}")
table = json.loads(table_path.read_text()) if table_path.exists() else {"compiler": None, "instructions": {}}
if table["compiler"] != compiler and not accept:
    skip(f"the table is that of {table['compiler']}, this is {compiler}")

with tempfile.TemporaryDirectory() as folder, concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
    found = {name_of(run): value for run, value in zip(RUNS, pool.map(lambda run: per_event(run, folder), RUNS))}
failed = []
for name, value in found.items():
    kept = table["instructions"].get(name)
    if value is None:
        print(f"{name:<40} not here: this processor, or valgrind, does not know the level")
        if "plain" in name:
            failed.append(name)
        continue
    change = value / kept - 1 if kept else None
    print(f"{name:<40} {value:8.2f} instructions an event" + (f", {100 * change:+.1f} %" if kept else ", not in the table"))
    if not accept and (change is None or abs(change) > TOLERANCE):
        failed.append(name)
    given = found.get(name.removesuffix(", shuffled"))
    if given and "direct" not in name and abs(value / given - 1) > ORDERS:
        print(f"  the order of the reactions changes it by {100 * (value / given - 1):+.1f} %")
        failed.append(name)
if set(table["instructions"]) - set(found) and not accept:
    failed.append("rows of the table that no run gives")
if accept:
    rows = {name: round(value, 2) for name, value in found.items() if value is not None}
    table_path.write_text(json.dumps({"compiler": compiler, "instructions": rows}, indent=2) + "\n")
if failed:
    print(f"changed by more than {100 * TOLERANCE:.0f} %: {'; '.join(dict.fromkeys(failed))}")
    print("a gain, or a loss that is worth it, is accepted with: python3 tests/speed_instructions_slow.py build . --accept")
sys.exit(bool(failed))
