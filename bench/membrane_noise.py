#!/usr/bin/env python3
"""Spontaneous spikes of patches of the squid's axon against their area (networks/models/action-potential.ness), channel by channel.
usage: bench/membrane_noise.py BUILD [SPIKES]. Replicas of 2.5 s, of which the first half second is left out, until about so many
spikes (1,000) are seen at each area; errors are those of the replicas."""
import json
import math
import pathlib
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
NESS = pathlib.Path(sys.argv[1]).resolve() / "ness"
WANTED = float(sys.argv[2]) if len(sys.argv) > 2 else 1000
GUESS = {2: 50, 5: 44, 10: 39, 20: 33, 50: 21, 100: 10}  # Hz, for the number of replicas alone

print("area um^2  spikes/s  error  replicas  s of processor a s of the model")
for area, guess in GUESS.items():
    replicas = max(8, math.ceil(WANTED / (2 * guess)))
    begin = time.perf_counter()
    done = subprocess.run([NESS, "run", ROOT / "networks/models/action-potential.ness", f"area={area}[um^2]", "--replicas", str(replicas),
                           "--time", "2.5", "--every", "0.5", "--seed", "1", "--json", "-q", "-j1"], capture_output=True, check=True)
    took = time.perf_counter() - begin
    course = json.loads(done.stdout)["course"]
    early, late = course[0], course[-1]
    # the spread of the difference is at most that of the late count
    error = late["sd spikes"] / math.sqrt(replicas) / 2
    print(f"{area:9} {(late['spikes'] - early['spikes']) / 2:9.2f} {error:6.2f} {replicas:9} {took / (2.5 * replicas):8.3f}", flush=True)
