"""Three ways to one answer, for every shipped model: the master equation, an ensemble, and the analysis of that ensemble's dump.

Each model is simulated with the settings of the first plain `simulate` in its file, or for twenty thousand events a replica. For every step: the net rate of the ensemble and of
the analysis must lie within 5 standard errors, or 5 events, of the exact one (64 batches: 5e-6 a comparison by Student's t, seeds are fixed);
the exact values that the analysis prints must be those of `ness solve`; and the balance sheets of both must close."""

import json
import math
import pathlib
import re
import subprocess
import sys
import tempfile

build, source = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
failures, compared, models, growing, flowing = [], 0, 0, 0, 0
# Slower than their events are fast: a vacuole fills within some seconds, a tracer in a field runs to the end of its track.
SLOW = {"vacuole-filling": (["--time=40", "--warmup=20", "--seed=1"], []),
        "solid-electrolyte-tracer": (["--time=1e-5", "--seed=1"], ["field=1[V/m]"])}
GROWING = {"oxide-growth"}  # has no steady state, and solve must say so
ONE_WAY = {"kanban", "fms", "source-sink"}  # about rates alone: steps without a way back run, and the entropy production is infinite
# What answers back or flows has no chain of states to solve, and no dump to analyze; nor has a cell with millions of ions. Their files hold them.
FLOWING = re.compile(r"^\s*(capacitor|variable)\s|\sfluid\s*$", re.M)
LARGE = {"ncx-heart"}


def ness(*arguments):
    done = subprocess.run([build / "ness", *arguments, "--json"], capture_output=True, text=True, timeout=600)
    if done.returncode != 0:
        raise RuntimeError(f"ness {' '.join(map(str, arguments))}: exit {done.returncode}\n{done.stderr}")
    return json.loads(done.stdout)


def body(text, start):
    """The text of the block that opens at `start`, without blocks inside it."""
    depth, out = 0, []
    for c in text[start:]:
        depth += (c == "{") - (c == "}")
        if depth == 0:
            break
        if depth == 1:
            out.append(c)
    return "".join(out)


def settings(text):
    """The settings of the first experiment that simulates in plain numbers: options, and the values it is run with."""
    text = re.sub(r"#.*", "", text)
    for experiment in re.finditer(r"^experiment\s+\w+\s*(?:with\s+([^{]*))?\{", text, re.M):
        found = re.search(r"^\s*simulate\s+(.*?)\s*$", body(text, experiment.end() - 1), re.M)
        if not found or "every" in found.group(1):
            continue
        words = dict(re.findall(r"(\w+)\s+([\d.e+-]+)(?:\s*\[s\])?(?=,|$)", found.group(1)))
        values = re.split(r",\s*(?=[\w.\[\]]+\s*=)", experiment.group(1).strip()) if experiment.group(1) else []
        if "time" in words:
            return [f"--{key}={value}" for key, value in words.items()], [v.strip() for v in values]
    return None


def near(what, value, error, exact, scale, time):
    global compared
    compared += 1
    if not abs(value - exact) <= 5 * max(error, 1 / time) + 1e-9 * scale:
        failures.append(f"{what}: {value} +- {error}, exact {exact}")


for path in sorted((source / "networks/models").glob("*.ness")):
    if path.stem in LARGE or FLOWING.search(re.sub(r"#.*", "", path.read_text())):
        flowing += 1
        continue
    found = SLOW.get(path.stem) or settings(path.read_text())
    options, values = found or (None, [])
    models += 1
    try:
        exact = ness("solve", path, *values)
        if options is None:  # twenty thousand events a replica, the first half of the time not counted
            pace = sum(float(row["forward"]) + float(row["backward"]) for row in exact["steps"])
            options = [f"--time={20000 / pace}", f"--warmup={10000 / pace}", "--seed=1"]
        with tempfile.TemporaryDirectory() as folder:
            dump = pathlib.Path(folder) / "run.msgpack"
            sampled = ness("run", path, *values, "-o", dump, *options)
            analysed = ness("analyze", dump)
    except RuntimeError as error:
        if path.stem in GROWING and "no steady state" in str(error):
            growing += 1
            continue
        failures.append(str(error))
        continue
    time = sampled["run"]["counted_s"]
    rates = {row["step"]: row for row in exact["steps"]}
    number = lambda x: float(x)  # infinities come as texts
    for row in sampled["steps"]:
        step = rates[row["step"]]
        scale = number(step["forward"]) + number(step["backward"])
        near(f"{path.name}: {row['step']} simulated", row["net"], number(row["net_error"]), step["net"], scale, time)
    for row in analysed["steps"]:
        step = rates[row["step"]]
        scale = number(step["forward"]) + number(step["backward"])
        near(f"{path.name}: {row['step']} analysed", row["estimate"], number(row["error"]), step["net"], scale, time)
        if abs(row["exact"] - step["net"]) > 1e-9 * scale:
            failures.append(f"{path.name}: {row['step']}: the analysis says the exact rate is {row['exact']}, solve says {step['net']}")
    entropy, sample = exact["entropy"], sampled["entropy"]
    production, error = number(entropy["production_kb_per_s"]), number(sample["production_kb_per_s_error"])
    work = sum(abs(number(row["work_kt_per_s"])) for row in exact["work"])
    if path.stem in ONE_WAY:
        if production != math.inf:
            failures.append(f"{path.name}: one-way steps run at a finite entropy production {production}")
        continue
    if not math.isfinite(production):
        failures.append(f"{path.name}: the entropy production is {production}")
        continue
    if number(entropy["closure_error"]) > 1e-9 * (abs(production) + work) + 1e-12:
        failures.append(f"{path.name}: the exact balance sheet does not close: {entropy}")
    near(f"{path.name}: entropy production simulated", number(sample["production_kb_per_s"]), error, production, 1, time)

if models < 25 or growing != len(GROWING):
    failures.append(f"{models} shipped models, {growing} of them growing")
print(f"{models} models, {flowing} more that flow, {compared} comparisons, {len(failures)} failed")
for failure in failures:
    print(failure, file=sys.stderr)
sys.exit(1 if failures else 0)
