"""bioscrape: its compiled SSASimulator."""
from importlib.metadata import version

import numpy
from adapter import serve
from bioscrape.simulator import ModelCSimInterface, SSASimulator
from bioscrape.types import Model


def build(job, folder, variant):
    steps = [(list(left), list(right), "massaction", {"k": constant}) for constant, left, right in job.falling()]
    model = Model(species=list(job.species), reactions=steps, initial_condition_dict=dict(job.species))
    interface = ModelCSimInterface(model)
    interface.py_set_initial_time(0.0)
    at = model.get_species2index()

    def run(time, replicas, seed):
        return [SSASimulator().py_simulate(interface, numpy.array([0.0, time])).py_get_result()[-1] for _ in range(replicas)]

    return version("bioscrape"), run, lambda rows: ([row[at[s]] for s in job.species] for row in rows)


serve(build)
