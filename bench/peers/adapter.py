"""What every simulator's adapter shares. An adapter is a program `sim_NAME.py JOB FOLDER [VARIANT]` that builds its model
once, prints one line with its version, and then answers each line {"time", "replicas", "seed", "final"} on stdin with
{"seconds", "finals"}: what the simulation alone took, and the final states when they were asked for."""
import json
import os
import resource
import sys
from pathlib import Path

from jobs import Job


def used():
    """Seconds of processor time of this process and of the programs that it ran: others on the machine do not count."""
    return sum(r.ru_utime + r.ru_stime for r in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)))


def seconds(work, *arguments):
    """What a call takes, and what it gives."""
    start = used()
    result = work(*arguments)
    return used() - start, result


def serve(build):
    """build(job, folder, variant) gives a version, run(time, replicas, seed) -> anything, and finals(anything)."""
    out = os.fdopen(os.dup(1), "w")  # what a library prints must not mix with the answers
    os.dup2(2, 1)
    job = Job(sys.argv[1])
    folder = Path(sys.argv[2])
    version, run, finals = build(job, folder, sys.argv[3] if len(sys.argv) > 3 else "")
    print(json.dumps({"version": version}), file=out, flush=True)
    for line in sys.stdin:
        ask = json.loads(line)
        took, result = seconds(run, ask["time"], ask["replicas"], ask["seed"])
        if isinstance(result, tuple):  # a program that was run: its own time
            took, result = result
        answer = {"seconds": took, "finals": [[float(n) for n in f] for f in finals(result)] if ask["final"] else []}
        print(json.dumps(answer), file=out, flush=True)
