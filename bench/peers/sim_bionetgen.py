"""BioNetGen: run_network, the simulator inside its Python package, on a network file."""
import subprocess
from importlib.metadata import version
from pathlib import Path

import bionetgen
from adapter import seconds, serve


def network(job):
    at = {s: str(i) for i, s in enumerate(job.species, 1)}
    steps = job.falling()
    # The program stops where a species appears that nothing takes: such a one gets a step that never runs.
    steps += [(1e-300, (s,), (s,)) for s in job.species if not any(s in left for _, left, _ in steps)]
    steps = list(enumerate(steps, 1))
    side = lambda names: ",".join(at[s] for s in names) or "0"
    blocks = {"parameters": [f"k{i} {constant!r}" for i, (constant, _, _) in steps],
              "species": [f"{s}() {n}" for s, n in job.species.items()],
              "reactions": [f"{side(left)} {side(right)} k{i}" for i, (_, left, right) in steps]}
    return "".join(f"begin {name}\n" + "".join(f"{i} {line}\n" for i, line in enumerate(lines, 1)) + f"end {name}\n"
                   for name, lines in blocks.items())


def build(job, folder, variant):
    (folder / f"{job.name}.net").write_text(network(job))
    program = Path(bionetgen.__file__).parent / "bng-linux" / "bin" / "run_network"
    command = lambda time, seed: [program, "-p", "ssa", "-h", str(seed), "-o", folder / job.name, folder / f"{job.name}.net",
                                  repr(time), "1"]

    def run(time, replicas, seed):
        took, finals = 0, []
        for k in range(replicas):
            one, _ = seconds(lambda: subprocess.run(command(time, seed * 10007 + k), check=True, stdout=subprocess.DEVNULL))
            took += one
            finals.append((folder / f"{job.name}.cdat").read_text().splitlines()[-1].split()[1:])
        return took, finals

    return version("bionetgen"), run, lambda finals: finals


serve(build)
