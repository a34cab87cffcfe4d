"""libRoadRunner: the gillespie integrator, from SBML; its model is compiled when loaded."""
import roadrunner
from adapter import serve


def build(job, folder, variant):
    model = roadrunner.RoadRunner(job.sbml())
    model.setIntegrator("gillespie")
    model.integrator.variable_step_size = False
    model.timeCourseSelections = ["time"]

    def run(time, replicas, seed):
        model.integrator.seed = seed
        finals = []
        for _ in range(replicas):
            model.reset()
            model.simulate(0, time, 2)
            finals.append(model.getFloatingSpeciesAmountsNamedArray().copy())
        return finals

    order = model.model.getFloatingSpeciesIds()
    return roadrunner.__version__, run, lambda all_: ([f[0][order.index(s)] for s in job.species] for f in all_)


serve(build)
