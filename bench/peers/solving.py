"""What the adapters of solvers share: the matrix of a model as ness writes it, the answer that it is held against, and the
line that comes back. An adapter is a program `solve_NAME.py WHAT FOLDER VARIANT` that prints {"version", "seconds",
"peak_mb", "note"} as its last line."""
import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import numpy

LATTICE = """model lattice
units natural
param n = 2
species X = 0 max n - 1, Y = 0 max n - 1
a: 0 <-> X @@ 1 + Y/(Y + 50), 1.05*(1 + Y/(Y + 50))
b: 0 <-> Y @@ 1 + X/(X + 50), 1.04*(1 + X/(X + 50))
"""  # coupled, yet the probabilities are 1.05^-X 1.04^-Y times a constant
WHAT, FOLDER, VARIANT = sys.argv[1], Path(sys.argv[2]), sys.argv[3]


def ness(*arguments):
    return subprocess.run([os.environ["NESS"], *map(str, arguments)], check=True, capture_output=True, text=True).stdout


def model():
    """The file and the setting."""
    if WHAT.startswith("lattice"):
        (FOLDER / "lattice.ness").write_text(LATTICE)
        return [FOLDER / "lattice.ness", "n=" + WHAT.split()[1]]
    models = Path(os.environ["ROOT"]) / "networks" / "models"
    return [models / "kanban.ness", "t=" + WHAT.split()[1]] if WHAT.startswith("kanban") else [models / "emre-cycles.ness"]


def exported():
    """The rates as ness writes them, in .tra: states, transitions, then from, to, rate. Written once."""
    path = FOLDER / (re.sub(r"\W+", "-", WHAT) + ".tra")
    if not path.exists():
        ness("convert", *model(), "-o", path, "--force", "-q")
    return path


def rates():
    """Number of states, rows, columns, rates."""
    first, rest = exported().read_text().split("\n", 1)
    table = numpy.array(rest.split(), dtype=float).reshape(-1, 3)
    return int(first.split()[0]), table[:, 0].astype(int), table[:, 1].astype(int), table[:, 2]


def states():
    """Counts of each state, in the order of the matrix."""
    rest = exported().with_suffix(".sta").read_text().split("\n", 1)[1]
    return numpy.array([line.split(":")[1].strip("()").split(",") for line in rest.split()], dtype=float)


def probabilities_of_ness():
    """Of its own answer, in the order of the matrix, which is the order in which it lists its states."""
    found = json.loads(ness("solve", *model(), "steady", "--states", "--json"))
    return numpy.array([s["probability"] for s in found["states"]])


def reference():
    """The closed form of the lattice; for kanban, what ness proves to its bound."""
    if WHAT.startswith("lattice"):
        x, y = states().T
        p = 1.05**-x * 1.04**-y
        return p / p.sum(), "against the closed form"
    saved = FOLDER / "reference.npy"
    if not saved.exists():
        numpy.save(saved, probabilities_of_ness())
    return numpy.load(saved), "against ness"


def peak_mb(who=resource.RUSAGE_SELF):
    return resource.getrusage(who).ru_maxrss / 1024


def judge(p):
    p = numpy.asarray(p, dtype=float)
    right, what = reference()
    with numpy.errstate(all="ignore"):
        worst = numpy.abs(p / right - 1)
        off = int(numpy.sum(~(worst <= 0.01)))
    return f"{numpy.max(worst):.1e} {what}; {off} states off by over 1 %; {int((p < 0).sum())} negative"


def tell(version, seconds, peak, note):
    print(json.dumps({"version": version, "seconds": seconds, "peak_mb": peak, "note": note}))
