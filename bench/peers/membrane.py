#!/usr/bin/env python3
"""A stochastic patch of membrane beside Myokit's stochastic engine: 6,000 Na and 1,800 K channels of Hodgkin and Huxley, one
core. usage: bench/peers/membrane.py BUILD (with myokit installed; 1.39 in the table). Myokit's engine holds V at a value, so its
channels are simulated at -65 mV, sodium and potassium one after the other; ness runs the whole patch, V included
(networks/models/action-potential.ness). Both in turns, five times; the figure is processor time a second of the model."""
import json
import pathlib
import subprocess
import sys
import time

import myokit
import myokit.lib.markov as markov
import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
NESS = pathlib.Path(sys.argv[1]).resolve() / "ness"
RATES = {"am": "0.1*(V+40)/(1-exp(-(V+40)/10))", "bm": "4*exp(-(V+65)/18)", "ah": "0.07*exp(-(V+65)/20)", "bh": "1/(1+exp(-(V+35)/10))",
         "an": "0.01*(V+55)/(1-exp(-(V+55)/10))", "bn": "0.125*exp(-(V+65)/80)"}


def sodium():
    states = [f"m{i}h{h}" for h in (0, 1) for i in range(4)]
    steps = [(f"m{i}h{h}", f"m{i + 1}h{h}", f"{3 - i}*am", f"{i + 1}*bm") for h in (0, 1) for i in range(3)]
    return states, steps + [(f"m{i}h0", f"m{i}h1", "ah", "bh") for i in range(4)], "m3h1", ("am", "bm", "ah", "bh"), 6000, 3.0


def potassium():
    steps = [(f"n{i}", f"n{i + 1}", f"{4 - i}*an", f"{i + 1}*bn") for i in range(4)]
    return [f"n{i}" for i in range(5)], steps, "n4", ("an", "bn"), 1800, 30.0


def engine(states, steps, pore, rates, channels, _):
    text = ["[[model]]", f"ch.{states[0]} = 1", *(f"ch.{s} = 0" for s in states[1:]), "[engine]", "time = 0 bind time", "pace = 0 bind pace",
            "[membrane]", "V = -65 label membrane_potential", "[ch]", "use membrane.V", *(f"{r} = {RATES[r]}" for r in rates)]
    for s in states:
        gains = [f"({f})*{a}" for a, c, f, _ in steps if c == s] + [f"({b})*{c}" for a, c, _, b in steps if a == s]
        losses = [f"({b})*{c}" for _, c, _, b in steps if c == s] + [f"({f})*{a}" for a, _, f, _ in steps if a == s]
        text.append(f"dot({s}) = {' + '.join(gains)} - {' - '.join(losses)}")
    model = myokit.parse_model("\n".join([*text, f"i = {pore}*V"]))
    linear = markov.LinearModel(model, [f"ch.{s}" for s in states], parameters=[], current="ch.i", vm="membrane.V")
    out = markov.DiscreteSimulation(linear, nchannels=channels)
    out.set_membrane_potential(-65)
    out.set_default_state(out.discretize_state(list(linear.steady_state(-65))))
    return out


def peer():
    """Processor seconds a second of the model, and microseconds an event."""
    total = spent = events = 0
    for kind in (sodium(), potassium()):
        simulation = engine(*kind)
        simulation.reset()
        begin = time.process_time()
        log = simulation.run(kind[-1])
        took = time.process_time() - begin
        total += took / (kind[-1] * 1e-3)
        spent += took
        events += len(log.time()) - 1
    return total, 1e6 * spent / events


def own(span, seed):
    import resource
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([NESS, "run", ROOT / "networks/models/action-potential.ness", "--time", str(span), "--replicas", "1", "--seed", str(seed),
                           "-j1", "--json", "-q"], capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent / span, 1e9 * spent / json.loads(done.stdout)["run"]["events"]


numpy.random.seed(1)
pairs = [(own(0.5, k), peer()) for k in range(5)]
print(f"myokit {myokit.__version__}, {subprocess.run([NESS, 'version'], capture_output=True, text=True).stdout.splitlines()[0]}")
for name, i, unit in (("ness, the whole patch, V moving", 0, "ns"), ("Myokit, the channels at a fixed V", 1, "us")):
    seconds, each = sorted(p[i][0] for p in pairs), sorted(p[i][1] for p in pairs)
    print(f"{name}: {seconds[2]:.3g} s a second of the model ({seconds[0]:.3g} to {seconds[-1]:.3g}), {each[2]:.3g} {unit} an event")
print(f"ratio of pairs: {sorted(b[0] / a[0] for a, b in pairs)[2]:.3g}")
