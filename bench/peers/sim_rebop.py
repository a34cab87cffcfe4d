"""rebop by its Python package."""
import rebop
from adapter import serve


def build(job, folder, variant):
    model = rebop.Gillespie()
    for constant, left, right in job.falling():
        model.add_reaction(constant, left, right)
    sparse = len(job.species) > 20

    def run(time, replicas, seed):
        return [model.run(job.species, time, 1, rng=seed * 100003 + k, sparse=sparse) for k in range(replicas)]

    return rebop.__version__, run, lambda sets: ([d[s].values[-1] for s in job.species] for d in sets)


serve(build)
