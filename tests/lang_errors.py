"""Wrong models: each must end with the right exit code, name the place, and say what is wrong; nothing may crash or hang."""

import pathlib
import subprocess
import sys
import tempfile

program = pathlib.Path(sys.argv[1]).resolve() / "ness"
HEAD = "model bad\nunits natural\n"
SI = "model bad\ntemperature 300 [K]\n"
PROCESS = HEAD + "param V = 0\nspecies A = 1, B = 0\nr: A <-> B @ exp(V), 1\n"
WALL = HEAD + "compartment i reservoir potential V\ncompartment o reservoir\nion K z +1 { i = 1\no = 2 }\n"
VOLUME = HEAD + "variable w = 1 within 0, 5\n"
# name, text, exit code, what stderr must hold
CASES = [
    ("unknown species", HEAD + "species A = 1\nr: A <-> B @ 1, 2\n", 3, ":4:10: error: no species, state, ion or bath has the name B"),
    ("near name", HEAD + "species Glucose = 1, B = 0\nr: Glucse <-> B @ 1, 2\n", 3, "did you mean Glucose?"),
    ("near keyword", HEAD + "speces A = 1\n", 3, "did you mean `species`?"),
    ("near function", HEAD + "param a = sqr(2)\nspecies A = 1, B = 0\nr: A <-> B @ a, 1\n", 3, "did you mean sqrt"),
    ("wrong unit", SI + "protein P { state A  state B }\nr: A <-> B @ 1 [1/M/s], 2 [1/s]\n", 3, "write it in [1/s]"),
    ("unit sum", SI + "param a = 1 [mV] + 2 [s]\nprotein P { state A  state B }\nr: A <-> B @ 1 [1/s], a\n", 3, "cannot add V and s"),
    ("unknown unit", SI + "param a = 1 [parsec]\nprotein P { state A  state B }\nr: A <-> B @ 1 [1/s], a\n", 3, "is no unit that ness knows"),
    ("unit in natural", HEAD + "species A = 1, B = 0\nr: A <-> B @ 1 [1/s], 2\n", 3, "in natural units a number has no unit"),
    ("negative rate", HEAD + "species A = 1, B = 0\nr: A <-> B @ -1, 2\n", 3, "the forward rate of r is -1"),
    ("infinite rate", HEAD + "species A = 1, B = 0\nr: A <-> B @ inf, 2\n", 3, "the forward rate of r is inf"),
    ("no number", HEAD + "species A = 1, B = 0\nr: A <-> B @ 1, ln(0-1)\n", 3, "not a number"),
    ("number too large", HEAD + "species A = 1, B = 0\nr: A <-> B @ 1e999, 2\n", 3, "too large"),
    ("zero rates switch a step off", HEAD + "species A = 1, B = 0\nr: A <-> B @ 0, 0\ns: A <-> B @ 1, 1\n", 0, ""),
    ("zero volume", SI + "compartment c volume 0 [L]\nspecies A = 1 in c, B = 1\nr: A <-> B @ 1 [1/s], 1 [1/s]\n", 3, "a volume must be positive"),
    ("concentration without volume", SI + "species A = 1 [mM], B = 0\nr: A <-> B @ 1 [1/s], 1 [1/s]\n", 3, "only through a volume"),
    ("zero bath", HEAD + "bath F = 0\nspecies A = 1, B = 0\nr: A + F <-> B @ 1, 1\n", 3, "minus infinity"),
    ("charge", SI + "compartment o reservoir\ncompartment i reservoir\nion Na z +1 { o = 1 [mM] }\nion Cl z -1 { i = 1 [mM] }\n"
     "r: Na.o <-> Cl.i @ 1 [1/M/s], 1 [1/M/s]\n", 3, "the charge does not balance"),
    ("fat arrow", HEAD + "species A = 1, B = 0\nr: A => B @ 1\n", 3, "=> does not say whether the step can go back"),
    ("one rate", HEAD + "species A = 1, B = 0\nr: A <-> B @ 1\n", 3, "only one rate is given"),
    ("two rates one way", HEAD + "species A = 1, B = 0\nr: A -> B @ 1, 2\n", 3, "goes one way"),
    ("twice", HEAD + "species A = 1, A = 2\nr: A -> 0 @ 1\n", 3, "declared already, in line 3"),
    ("circle", HEAD + "param a = b, b = a\nspecies A = 1\nr: A -> 0 @ a\n", 3, "depends on itself"),
    ("energy circle", HEAD + "protein P { state A energy = B\n state B energy = A }\nr: A <-> B @ 1, 2\n", 3, "depends on itself"),
    ("count in a rate", HEAD + "param k = 2*A\nspecies A = 1\nr: A -> 0 @ k\n", 3, "A is a count"),
    ("fraction of a count", HEAD + "species A = 1.5\nr: A -> 0 @ 1\n", 3, "whole number"),
    ("index out of range", HEAD + "species X[1..3] = 1\nr: X[3] <-> X[4] @ 1, 1\n", 3, "X[4]"),
    ("empty range", HEAD + "species X[3..1] = 1\nr: X[3] -> 0 @ 1\n", 3, "is empty"),
    ("huge range", HEAD + "species X[1..900000000] = 1\nr: X[1] -> 0 @ 1\n", 3, "too long"),
    ("no temperature", "model bad\nprotein P { state A  state B energy = 1 kT }\nr: A <-> B @ ldb(k0 = 1 [1/s])\n", 3, "temperature"),
    ("later feature", HEAD + "import x\n", 3, "not in this version"),
    ("capacitor between", HEAD + "capacitor V a, b\n", 3, "expected `between`"),
    ("capacitor of places", HEAD + "capacitor V between a, b capacitance 1 start 0\n", 3, "no compartment has the name a"),
    ("capacitor of nobody", WALL.replace(" potential V", "") + "capacitor V between i, o capacitance 1 start 0\n", 3, "the potential of neither side"),
    ("capacitor without a size", WALL + "capacitor V between i, o start 0\n", 3, "needs a capacitance and a start"),
    ("capacitor of nothing", WALL + "capacitor V between i, o capacitance 0 start 0\n", 3, "must be positive and finite"),
    ("capacitor too small", WALL + "capacitor V between i, o capacitance 0.01 start 0\nr: K.i <-> K.o @ ldb(k0 = 1)\n", 3,
     "one charge takes V out of its range"),
    ("capacitor too large", WALL + "capacitor V between i, o capacitance 1e17 start 0\nr: K.i <-> K.o @ ldb(k0 = 1)\n", 3,
     "more charges than a count can"),
    ("odd charges", WALL + "capacitor V between i, o capacitance 99 start 0\nprotein P { state A  state B charge 0.12345 at i }\n"
     "r: A <-> B @ ldb(k0 = 1)\n", 3, "no multiples of 0.001 e"),
    ("field of a capacitor", WALL + "capacitor V between i, o capacitance 99 start 0\nlattice s[1..3] between o, i field linear holds K max 1\n"
     "hop: K.s[i] <-> K.s[i+1] @ ldb(k0 = 1)\n", 3, "cannot follow a capacitor"),
    ("barrier through a capacitor", WALL + "capacitor V between i, o capacitance 99 start 0\nr: K.i <-> K.o @ ldb(k0 = 1, barrier = 3)\n", 3,
     "a barrier feels no capacitor"),
    ("conductance of no charge", HEAD + "compartment i reservoir\ncompartment o reservoir\nion S z 0 { i = 1\no = 2 }\n"
     "r: S.i <-> S.o @ ldb(conductance = 1)\n", 3, "it has no conductance"),
    ("conductance and more", WALL + "capacitor V between i, o capacitance 99 start 0\nr: K.i <-> K.o @ ldb(conductance = 1, split = 0.2)\n", 3,
     "a conductance says everything"),
    ("volume of nothing", VOLUME + "compartment c volume 2*w\n", 3, ":4:23: error: a volume must be positive and finite, and this one is not at w = 0"),
    ("volume through a pole", VOLUME + "compartment c volume 1/(w - 3)\n", 3, "a volume must be positive and finite"),
    ("volume below zero later", VOLUME + "compartment c volume 3 - w\n", 3, "is not at w = 3.125, which is in its range"),
    ("volume without a unit", SI + "variable w = 1 within 0.1, 5\ncompartment c volume w\nspecies A = 1 in c\nr: 2 A -> 0 @ 1 [1/M/s]\n", 3,
     "a volume is in L, this has no unit"),
    ("volume of a count", VOLUME + "compartment c volume 1 + A\nspecies A = 1\nr: A -> 0 @ 1\n", 3, "A is counted: a volume follows variables"),
    ("volume of an ion", VOLUME + "compartment c volume 1 + K.c\nion K z 0 { c = 1 }\n", 3, "K is counted: a volume follows variables"),
    ("volume of a capacitor", WALL + "capacitor V between i, o capacitance 99 start 0\ncompartment c volume 2 + V/99\n", 3,
     "a volume cannot follow V: charges would do work on it"),
    ("volume of three", VOLUME + "variable x = 1 within 1, 2, y = 1 within 1, 2\ncompartment c volume 1 + w*x*y\n", 3,
     "a volume follows two variables at most, and y is a third"),
    ("volume behind a param", VOLUME + "param v = 1 + w\ncompartment c volume v\n", 3, "w answers back and changes in time"),
    ("volume of a lattice", VOLUME + "ion K z 0 { }\nlattice s[1..3] volume 1 + w holds K\n", 3, "w answers back and changes in time"),
    ("reaction in two volumes", VOLUME + "compartment c volume 1 + w\ncompartment d volume 2\nspecies A = 1 in c, B = 1 in d\n"
     "r: A + B -> 0 @ 1\n", 3, "takes from two volumes"),
    ("variable without a range", HEAD + "variable x = 1\nspecies A = 1\nr: A -> 0 @ 1\n", 3, "expected `within`"),
    ("variable out of range", HEAD + "variable x = 3 within 0, 1\nspecies A = 1\nr: A -> 0 @ 1\n", 3, "x starts outside of its range"),
    ("variable in a step", HEAD + "variable x = 0 within 0, 1\nspecies A = 1\nr: A -> x @ 1\n", 3, "x is a variable: it cannot take part in a step"),
    ("variable in a param", HEAD + "variable x = 0 within 0, 1\nparam k = 2*x\nspecies A = 1\nr: A -> 0 @ k\n", 3, "answers back and changes in time"),
    ("variable in an energy", HEAD + "variable x = 0 within 0, 1\nprotein P { state A  state B energy = x }\nr: A <-> B @ ldb(k0 = 1)\n", 3,
     "answers back and changes in time"),
    ("equation of a param", HEAD + "param k = 2\nk' = 1\nspecies A = 1\nr: A -> 0 @ k\n", 3, "k is no variable"),
    ("equation of nothing", HEAD + "variable rate = 0 within 0, 1\nrat' = 1\nspecies A = 1\nr: A -> 0 @ 1\n", 3, "rat"),
    ("two equations", HEAD + "variable x = 0 within 0, 1\nx' = 1\nx' = 2\nspecies A = 1\nr: A -> 0 @ 1\n", 3, "has an equation already"),
    ("unit of an equation", SI + "variable x = 0 [mV] within 0 [mV], 1 [mV]\nx' = 1 [mV]\nspecies A = 1\nr: A -> 0 @ 1 [1/s]\n", 3,
     "this rate of change is in V/s, this has V"),
    ("event without a colon", HEAD + "variable x = 0 within 0, 1\nat 3 x = 1\nspecies A = 1\nr: A -> 0 @ 1\n", 3, "at 10 [ms]: x = 1"),
    ("event in the past", HEAD + "variable x = 0 within 0, 1\nat -3: x = 1\nspecies A = 1\nr: A -> 0 @ 1\n", 3, "an event is at a time from 0 on"),
    ("event of a param", HEAD + "param k = 2\nat 3: k = 1\nspecies A = 1\nr: A -> 0 @ k\n", 3, "an event sets variables and species; k is neither"),
    ("event of a state", HEAD + "protein P { state A  state B }\nwhen A > 0: B = 1\nr: A <-> B @ 1, 1\n", 3, "B is neither"),
    ("unit of an event", SI + "variable x = 0 [mV] within 0 [mV], 1 [mV]\nat 1 [s]: x = 1 [s]\nspecies A = 1\nr: A -> 0 @ 1 [1/s]\n", 3,
     "the new value is in V, this has s"),
    ("observable of a variable", HEAD + "variable x = 0.5 within 0.1, 1\nspecies A = 1\nr: A -> 0 @ 1\nobserve y = mean(x)\n", 3,
     "the scale of a variable has a beginning of its own"),
    ("process kind", PROCESS + "process V telegraf(low = 0)\n", 3, "did you mean telegraph?"),
    ("process number", PROCESS + "process V telegraph(low = 0, high = 1, up = 1)\n", 3, "telegraph needs down"),
    ("process rate", PROCESS + "process V telegraph(low = 0, high = 1, up = 0, down = 1)\n", 3, "up must be positive"),
    ("process of a count", PROCESS + "process A telegraph(low = 0, high = 1, up = 1, down = 1)\n", 3, "no process can move it"),
    ("process of nothing", PROCESS + "process W telegraph(low = 0, high = 1, up = 1, down = 1)\n", 3, "has the name W"),
    ("process twice", PROCESS + 2*"process V telegraph(low = 0, high = 1, up = 1, down = 1)\n", 3, "has a process already, in line 6"),
    ("process out of range", HEAD + "bath F = 1\nspecies A = 1, B = 0\nr: A + F <-> B @ 1, 1\nprocess F telegraph(low = -1, high = 1, up = 1, "
     "down = 1)\n", 3, "this was at the level F.low"),
    ("process unit", SI + "param V = 0 [mV]\nspecies A = 1, B = 0\nr: A <-> B @ exp(V/1 [mV])*1 [1/s], 1 [1/s]\n"
     "process V telegraph(low = 1 [s], high = 1 [mV], up = 1 [1/s], down = 1 [1/s])\n", 3, "low is in V, this has s"),
    ("protocol without order", PROCESS + "process V steps {\n0 = 1\n2 = 3\n1 = 4\n}\n", 3, "the times of a protocol ascend"),
    ("protocol of one point", PROCESS + "process V line {\n0 = 1\n}\n", 3, "two points or more"),
    ("protocol beyond its period", PROCESS + "process V steps {\n0 = 1\n2 = 3\nperiod 2\n}\n", 3, "before the period"),
    ("protocol without a value", PROCESS + "process V steps {\n0 = 1\n2\n}\n", 3, "the value from this time on"),
    ("process flip", PROCESS + "process V markov {\nlevel a = 0\nlevel b = 1\na -> b @ 1\n}\n", 3, "a flip goes both ways"),
    ("process level", PROCESS + "process V markov {\nlevel a = 0\nlevel b = 1\na <-> c @ 1, 1\n}\n", 3, "c is no level of V"),
    ("sine without end", PROCESS + "process V sine(mean = 0, amplitude = inf, frequency = 1)\n", 3, "amplitude must be finite"),
    ("sine that rests", PROCESS + "process V sine(mean = 0, amplitude = 1, frequency = 0)\n", 3, "frequency must be positive"),
    ("sine's number", PROCESS + "process V sine(mean = 0, amplitude = 1, frequenzy = 1)\n", 3, "did you mean frequency?"),
    ("sine without a name", PROCESS + "process V sine(0, amplitude = 1, frequency = 1)\n", 3, "sine does not know a value without a name"),
    ("square's share", PROCESS + "process V square(low = 0, high = 1, period = 1, share = 1)\n", 3, "share, of the period that is high"),
    ("ramp's end", PROCESS + "process V ramp(from = 0, to = 1, begin = 2, end = 1)\n", 3, "a ramp begins at 0 or later and ends after"),
    ("shot without a jump", PROCESS + "process V shot(base = 0, jump = 0, rate = 1, tau = 1)\n", 3, "does not move"),
    ("ou without noise", PROCESS + "process V ou(mean = 0, sd = 0, tau = 1)\n", 3, "sd is positive"),
    ("info under a sine", PROCESS + "process V sine(mean = 0, amplitude = 1, frequency = 1)\n", 0, "with V at its value in the file"),
    ("process grid", PROCESS + "process V ou(mean = 0, sd = 1, tau = 1, points = 5)\n", 3, "does not hold the process"),
    ("cycle does not close", HEAD + "species A = 1, B = 0\nr: A <-> B @ 1, 1\ncycle c: r\n", 3, "does not close"),
    ("assertion", HEAD + "species A = 1, B = 0\nr: A <-> B @ 1, 1\nassert 1 == 2\n", 4, "the assertion does not hold"),
    ("observable", HEAD + "species A = 1, B = 0\nr: A <-> B @ 1, 1\nobserve x = rate(r)*rate(r)\n", 3, "linear"),
    ("unclosed brace", HEAD + "protein P { state A\n", 3, "error"),
    ("stray brace", HEAD + "species A = 1\nr: A -> 0 @ 1\n}\n", 3, "closes nothing"),
    ("deep parentheses", HEAD + "param a = " + "(" * 5000 + "1" + ")" * 5000 + "\n", 3, "nests deeper"),
    ("deep signs", HEAD + "param a = " + "-" * 5000 + "1\n", 3, "nests deeper"),
    ("long sum", HEAD + "param a = " + "+".join(["1"] * 100000) + "\n", 3, "operations deep"),
    ("deep blocks", HEAD + "for i in 1..1 {\n" * 500 + "}\n" * 500, 3, "nests deeper"),
    ("empty", "", 3, "holds no model"),
    ("only comments", "# nothing\n\n", 3, "holds no model"),
    ("no step", HEAD + "species A = 1\n", 3, "has no step"),
    ("binary", "\x01\x02\x7f\xff" * 20, 3, "error"),
    ("zero bytes", "model a\0b\n", 3, "zero bytes"),
    ("many errors", HEAD + "".join(f"r{i}: A{i} -> 0 @ 1\n" for i in range(60)), 3, "40 more"),
]


# name, v.csv (None: missing), what follows it, exit code, words
TABLES = [
    ("a table", "t [ms], V [mV]\n0, -60\n1, 20\n", "", 0, ""),
    ("a table with a period", "t [ms], V [mV]\n0, -60\n1, 20\n", " period 2 [ms]", 0, ""),
    ("a missing table", None, "", 3, "cannot open gone.csv"),
    ("an empty table", "\n# nothing\n", "", 3, "v.csv:1:1"),
    ("a table without a header", "0, -60\n1, 20\n", "", 3, "begins with a header"),
    ("a word in a table", "t [ms], V [mV]\n0, -60\n1, low\n", "", 3, "v.csv:3:4: error: low is no number"),
    ("a number that is none", "t [ms], V [mV]\n0, nan\n1, 2\n", "", 3, "nan is no number"),
    ("an empty cell", "t [ms], V [mV]\n0, 1\n1,\n", "", 3, "a number is missing here"),
    ("times that repeat", "t [ms], V [mV]\n0, 1\n2, 3\n2, 4\n", "", 3, "v.csv:4:1"),
    ("times that fall", "t [ms], V [mV]\n1, 1\n0, 3\n", "", 3, "sort the rows by time"),
    ("a time before the start", "t [ms], V [mV]\n-1, 1\n0, 3\n", "", 3, "begins at 0 or later"),
    ("a table in the wrong unit", "t [ms], V [pA]\n0, 1\n1, 3\n", "", 3, "v.csv:1:11"),
    ("a table in no unit", "t [ms], V\n0, 1\n1, 3\n", "", 3, "needs a unit in the header"),
    ("a unit that is unknown", "t [ms], V [mX]\n0, 1\n1, 3\n", "", 3, "is no unit that ness knows"),
    ("a bracket that is open", "t [ms], V [mV\n0, 1\n1, 3\n", "", 3, "stands in brackets"),
    ("too few rows", "t [ms], V [mV]\n0, 1\n", "", 3, "too few rows under this header: 1"),
    ("too many rows", "t [ms], V [mV]\n" + "".join(f"{i}, 1\n" for i in range(100001)), "", 3, "v.csv:100002:1"),
    ("three columns", "t [ms], V [mV]\n0, 1, 2\n", "", 3, "two columns, this line has 3"),
    ("a comma in a fraction", "t [ms], V [mV]\n0;1\n", "", 3, "two columns, this line has 1"),
    ("a period that is too short", "t [ms], V [mV]\n0, 1\n1, 3\n", " period 1 [ms]", 3, "all its times before the period"),
    ("words behind a table", "t [ms], V [mV]\n0, 1\n1, 3\n", " every 1 [ms]", 3, "expected the end of the line"),
]


def run(arguments, folder, timeout=60):
    return subprocess.run([str(program), *arguments], cwd=folder, capture_output=True, timeout=timeout)


SINE = PROCESS + "process V sine(mean = 0, amplitude = 1, frequency = 1)\n"
TWO = SINE.replace("param V = 0", "param V = 0, W = 1").replace("exp(V), 1", "exp(V), W")
SQUARE = "process W square(low = 1, high = 2, period = 0.5)\n"
BATH = "bath F = 1\ns: A + F <-> B @ 1, 1\nprocess F square(low = 1, high = 2, period = 1)\n"
SALT = SI + "compartment o reservoir\nion Na z 1 { o = 1 [mM] }\nspecies A = 1, B = 0\nr: A + Na.o <-> B @ 1e3 [1/M/s], 1 [1/s]\n"
RUN = ["run", "bad.ness", "--time", "1"]
# name, text, arguments, exit code, what stderr must hold
COMMANDS = [
    ("below zero", SALT + "process Na.o sine(mean = 1 [mM], amplitude = 2 [mM], frequency = 1 [1/s])\n", ["solve", "bad.ness"], 3,
     "this was with Na.o at -0.11114 [mM]"),
    ("below zero in a run", SALT + "process Na.o ou(mean = 1 [mM], sd = 0.5 [mM], tau = 1 [s], reach = 1.5)\n", RUN, 3, "cannot be"),
    ("range without end", PROCESS + "process V sine(mean = 1e308, amplitude = 1e308, frequency = 1)\n", ["solve", "bad.ness"], 3, "has no end"),
    ("a dump", SINE, RUN + ["-o", "x.msgpack", "--level", "summary"], 2, "writes dumps at levels flux, grid and events"),
    ("events", SINE, ["run", "bad.ness", "--events", "9"], 2, "stop after a number of events (--events)"),
    ("times", SINE, RUN + ["--every", "0.1"], 0, ""),
    ("a method", SINE, RUN + ["--method", "tau"], 2, "cannot choose a method (--method)"),
    ("no end", SINE, ["run", "bad.ness"], 2, "--time"),
    ("a period too short", PROCESS + "process V square(low = 0, high = 1, period = 1e-18)\n", RUN, 2, "is lost in the figures"),
    ("states", SINE, ["solve", "bad.ness", "--states"], 2, "states are not listed while V moves"),
    ("check under a sine", SINE, ["check", "bad.ness"], 0, "with V at its value in the file"),
    ("convert under a sine", SINE, ["convert", "bad.ness", "-o", "x.mtx"], 0, "with V at its value in the file"),
    ("half a period", SINE, ["run", "bad.ness", "--time", "5", "--warmup", "0.5"], 0, "4.5 periods of V are counted"),
    ("a variable and a moving input", PROCESS + "process V ou(mean = 0, sd = 1, tau = 1)\nvariable x = 0 within 0, 9\nx' = 1\n",
     ["run", "bad.ness", "--time", "1"], 3, "V moves at random and continuously, and so not beside what flows"),
    ("a variable beside a sine", SINE + "variable x = 0 within 0, 9\nx' = V + 1\n", RUN, 0, ""),
    ("shot noise beside a sine", TWO + "process W shot(base = 0, jump = 1, rate = 1, tau = 1)\n", RUN, 0, ""),
    ("rate equations of shots", TWO + "process W shot(base = 0, jump = 1, rate = 1, tau = 1)\n", ["solve", "bad.ness", "ode", "--time", "1"], 3,
     "W moves at random and continuously, and so not in rate equations"),
    ("an input in a split", TWO + SQUARE + "s: A <-> B @ ldb(k0 = 1, split = V)\n", RUN, 3, "V moves in time: it has no value here"),
    ("an input by way of a param", TWO + SQUARE + "param k = 2*V\ns: A <-> B @ ldb(k0 = 1, split = k)\n", RUN, 3,
     "mu0, energies, k0 and conductances: not here"),
    ("an input in a temperature", TWO + SQUARE + "compartment c volume 1 temperature 1 + V\n", RUN, 3, "V moves in time: it has no value here"),
    ("an input in a start", TWO + SQUARE + "compartment c volume 1\nion X z 0 { c = W }\n", RUN, 3, "W moves in time: it has no value here"),
    ("an input in a reaction energy", TWO + SQUARE + "bath F = 1, G = 1\npotential F -> G = W\n", RUN, 3, "W moves in time: it has no value here"),
    ("mu of a bath that moves", TWO + BATH + "t: A <-> B @ exp(mu(F)), 1\n", RUN, 3, "F moves in time: it has no value here"),
    ("a bath below zero", TWO + BATH.replace("low = 1", "low = -1"), RUN, 3, "F moves to -1: from t = 0.5"),
    ("a bath below zero for rate equations", TWO + BATH.replace("low = 1", "low = -1"), ["solve", "bad.ness", "ode", "--time", "1"], 3,
     "keep its range where a concentration is above 0"),
    ("a barrier under a voltage", TWO + SQUARE + "compartment i reservoir potential W\nion X z 1 { i = 1 }\n"
     "s: A + X.i <-> B @ ldb(k0 = 1, barrier = 2)\n", RUN, 3, "no input that moves beside others"),
    ("two that multiply", TWO + SQUARE + "compartment i reservoir potential V*W\nion X z 1 { i = 1 }\ns: A + X.i <-> B @ ldb(k0 = 1)\n", RUN, 3,
     "V and W move the potential of i together"),
    ("k0 from 0", TWO + SQUARE + "s: A <-> B @ ldb(k0 = V)\n", RUN, 3, "does not run at the value in the file"),
    ("k0 below 0 in time", TWO + SQUARE + "s: A <-> B @ ldb(k0 = 0.5 + V)\n", RUN, 1, "rate of step s is negative"),
    ("another temperature", TWO + BATH + "compartment h volume 1 temperature 2\nion X z 0 { h = 9 }\nt: X.h <-> F @ ldb(k0 = 1)\n", RUN, 3,
     "t is at a place of another temperature"),
    ("levels of a bath that moves", TWO + "param c = 1\nbath F = c*W\ns: A + F <-> B @ 1, 1\n" + SQUARE +
     "process c telegraph(low = 1, high = 2, up = 1, down = 1)\n", RUN, 0, ""),
    ("levels of an energy that moves", TWO + "param c = 1\nprotein P { state a  state b energy = c*W }\ns: a <-> b @ ldb(k0 = 1)\n" + SQUARE +
     "process c telegraph(low = 1, high = 2, up = 1, down = 1)\n", RUN, 3, "c changes what W moves of an energy"),
    ("two that move at rest", TWO + SQUARE, ["solve", "bad.ness"], 3, "`run` and `solve ode time T` follow several"),
    ("two that move in time", TWO + SQUARE, ["solve", "bad.ness", "ode", "--time", "1"], 0, ""),
    ("two that move with noise", TWO + SQUARE, ["solve", "bad.ness", "lna", "--time", "1"], 3, "can be solved for while V moves like this"),
    ("rest of two that move", TWO + SQUARE, ["solve", "bad.ness", "ode"], 3, "can be solved for while V moves like this"),
    ("a method for two", TWO + SQUARE, RUN + ["--method", "tau"], 2, "cannot take this method: V does"),
    ("a period of two too short", TWO + "process W square(low = 1, high = 2, period = 1e-18)\n", RUN, 2, "W is lost in the figures"),
    ("events of two", TWO + SQUARE, ["run", "bad.ness", "--events", "9"], 2, "cannot stop after a number of events (--events): V does"),
    ("a rate below 0 in time", TWO + SQUARE + "s: A <-> B @ 0.5 + V, 1\n", RUN, 1, "the forward rate of step s is negative"),
    ("the master equation of an equation", HEAD + "variable x = 0 within 0, 9\nx' = 1\nspecies A = 1, B = 0\nr: A <-> B @ 1, x\n",
     ["solve", "bad.ness"], 3, "x' drifts by an equation"),
    ("an end for good", SINE + "species X = 1, Y = 0\nd: X -> Y @ 1\n", ["solve", "bad.ness"], 3, "leave out steps that end for good"),
    ("a ramp at rest", PROCESS + "process V ramp(from = 0, to = 1, begin = 0, end = 1)\n", ["solve", "bad.ness"], 3, "does not come back"),
    ("two that move", HEAD + "param V = 0, W = 0\nspecies A = 1, B = 0\nr: A <-> B @ exp(V + W), 1\n"
     "process V sine(mean = 0, amplitude = 1, frequency = 1)\nprocess W ou(mean = 0, sd = 1, tau = 1)\n", ["solve", "bad.ness"], 3,
     "make one of the two flip"),
    ("the course of two", TWO + SQUARE, ["solve", "bad.ness", "transient", "--time", "1"], 3, "only one input can move continuously"),
    ("the course of shots", PROCESS + "process V shot(base = 0, jump = 1, rate = 2, tau = 1)\n",
     ["solve", "bad.ness", "transient", "--time", "1"], 3, "no solver knows its course"),
    ("the course of what comes in", SINE + "species X = 1\nin: 0 <-> X @ 2 + V, 1\n", ["solve", "bad.ness", "transient", "--time", "1"], 1,
     "cannot be solved under rates that move"),
    ("a course of too many turns", PROCESS + "process V square(low = 0, high = 1, period = 1e-7)\n",
     ["solve", "bad.ness", "transient", "--time", "1"], 1, "V turns 10000000 times"),
    ("the mean of what wanders", TWO + "process W ou(mean = 2, sd = 0.1, tau = 1)\nexperiment e {\nsimulate replicas 2, time 2, seed 1\n"
     "expect mean(W) > 0\n}\n", ["test", "bad.ness"], 3, "W moves at random, and what it did between two looks nobody knows"),
    ("entropy of a moving course", SINE + "experiment e {\nsolve transient time 1, every 1\nexpect sigma_at(1) > 0\n}\n", ["test", "bad.ness"], 3,
     "sigma_at is not known while V moves"),
    ("a corner", PROCESS + "s: A <-> B @ 1 + abs(V), 1\nprocess V sine(mean = 0, amplitude = 1, frequency = 1)\n", ["solve", "bad.ness"], 3,
     "not smooth in V"),
    *[(what[0] + " under a sine", SINE, ["solve", "bad.ness", *what], 3, "only `steady`, `transient` and `ode` in time can be solved for while V moves")
      for what in (["cumulants"], ["spectrum"], ["passage", "--until", "B == 1"], ["sensitivity"], ["ode"], ["lna"])],
    *[(what, SINE + f"experiment e {{\nsolve steady\nexpect {what} > 0\n}}\n", ["test", "bad.ness"], 3, words)
      for what, words in (("fano(rate(r))", "fano is not known while V moves"), ("passage(B == 1)", "only `steady`, `transient` and `ode`"),
                          ("growth()", "only `steady`, `transient` and `ode`"), ("derivative(mean(B), V)", "derivative is not known while V moves"))],
]

failures = []


def check(name, done, code, words):
    stderr = done.stderr.decode(errors="replace")
    if done.returncode != code or words not in stderr:
        failures.append(f"{name}: exit {done.returncode} (wanted {code}), wanted `{words}` in\n{stderr[:1500]}")


with tempfile.TemporaryDirectory() as folder:
    path = pathlib.Path(folder)
    for name, text, code, words in CASES:
        (path / "bad.ness").write_bytes(text.encode("latin-1"))
        check(name, run(["info", "bad.ness"], folder), code, words)
    for name, text, arguments, code, words in COMMANDS:
        (path / "bad.ness").write_text(text)
        check(name, run(arguments, folder), code, words)

    (path / "a.ness").write_text('model a\nunits natural\ninclude "b.ness"\n')
    (path / "b.ness").write_text('include "a.ness"\n')
    check("cyclic include", run(["info", "a.ness"], folder), 3, "cannot include itself")
    (path / "c.ness").write_text('model c\nunits natural\ninclude "missing.ness"\n')
    check("missing include", run(["info", "c.ness"], folder), 3, "cannot open missing.ness")
    check("missing file", run(["info", "none.ness"], folder), 5, "cannot open none.ness")
    check("a folder", run(["info", "."], folder), 5, "is a folder")
    with open(path / "big.ness", "wb") as out:
        out.truncate(100 << 20)
    check("100 MB", run(["info", "big.ness"], folder), 5, "too large")

    body = "temperature 300 [K]\nparam V = 0 [mV]\nspecies A = 1, B = 0\nr: A <-> B @ 1 [1/s]*exp(V/25 [mV]), 1 [1/s]\n"
    for name, table, tail, code, words in TABLES:
        if table is not None:
            (path / "v.csv").write_text(table)
        (path / "table.ness").write_text(f'model t\n{body}process V line "{"v.csv" if table is not None else "gone.csv"}"{tail}\n')
        check(name, run(["info", "table.ness"], folder), code, words)
    (path / "v.csv").write_text("t, x\n0, 1\n1 [s], 2\n")
    (path / "table.ness").write_text(HEAD + 'param x = 1\nspecies A = 1, B = 0\nA <-> B @ x, 1\nprocess x steps "v.csv"\n')
    check("a unit in a row", run(["info", "table.ness"], folder), 3, "v.csv:3:1")
    (path / "v.csv").write_text("t [s], x\n0, 1\n1, 2\n")
    check("a unit in natural units", run(["info", "table.ness"], folder), 3, "leave the brackets out")
    with open(path / "v.csv", "wb") as out:
        out.truncate(100 << 20)
    check("a table of 100 MB", run(["info", "table.ness"], folder), 3, "v.csv is too large")

    (path / "ok.ness").write_text(HEAD + "param kay = 1\nspecies A = 1, B = 0\nr: A <-> B @ kay, 1\n")
    check("unknown setting", run(["info", "ok.ness", "kai=2"], folder), 3, "did you mean kay?")
    check("setting without a value", run(["info", "ok.ness", "kay="], folder), 2, "error")
    check("a range where one value goes", run(["info", "ok.ness", "kay=1:2:1"], folder), 2, "ness scan")

print(f"{len(CASES) + len(COMMANDS) + len(TABLES) + 11} passed, {len(failures)} failed" if not failures else f"{len(failures)} failed")
for failure in failures:
    print(failure, file=sys.stderr)
sys.exit(1 if failures else 0)
