"""batss: exact simulation by batches; only of reactions that do not make more molecules than they take."""
from importlib.metadata import version

import batss
from adapter import serve


def build(job, folder, variant):
    known = dict(zip(job.species, batss.species(" ".join(job.species))))
    side = lambda names: sum((known[s] for s in names[1:]), known[names[0]]) if names else None
    steps = [(side(left) >> side(right)).k(constant) for constant, left, right in job.falling()]
    start = {known[s]: n for s, n in job.species.items()}

    def run(time, replicas, seed):
        finals = []
        for k in range(replicas):
            model = batss.Simulation(start, steps, volume=1.0, seed=seed * 100003 + k)
            model.run(time, time, timer=False)
            finals.append(model.config_dict)
        return finals

    return version("batss"), run, lambda all_: ([f.get(known[s], 0) for s in job.species] for f in all_)


serve(build)
