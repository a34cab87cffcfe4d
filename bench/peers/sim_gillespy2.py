"""GillesPy2, the variant being SSACSolver (C++, compiled for the model) or NumPySSASolver."""
import gillespy2
from adapter import serve


def build(job, folder, variant):
    model = gillespy2.Model(name=job.name)
    for s, n in job.species.items():
        model.add_species(gillespy2.Species(name=s, initial_value=n, mode="discrete"))
    for i, (constant, left, right) in enumerate(job.falling()):
        k = gillespy2.Parameter(name=f"k{i}", expression=constant)
        model.add_parameter(k)
        model.add_reaction(gillespy2.Reaction(name=f"r{i}", rate=k, reactants={s: left.count(s) for s in left},
                                              products={s: right.count(s) for s in right}))
    solver = getattr(gillespy2, variant)(model=model)

    def run(time, replicas, seed):
        solver.model.timespan(gillespy2.TimeSpan([0.0, time]))
        return solver.run(number_of_trajectories=replicas, seed=seed)

    def finals(results):
        return ([r[s][-1] for s in job.species] for r in results)

    run(1e-9, 1, 1)
    return gillespy2.__version__, run, finals


serve(build)
