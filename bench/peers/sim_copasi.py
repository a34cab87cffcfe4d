"""COPASI by its Python package: mass action, the direct method, counts in a volume of 1, no table of the course."""
import COPASI
from adapter import seconds, serve


def build(job, folder, variant):
    data = COPASI.CRootContainer.addDatamodel()
    model = data.getModel()
    model.setQuantityUnit("#")
    model.setVolumeUnit("1")
    model.createCompartment("v", 1.0)
    known = {s: model.createMetabolite(s, "v", float(n)) for s, n in job.species.items()}
    for i, (constant, left, right) in enumerate(job.falling()):
        reaction = model.createReaction(f"r{i}")
        for s in dict.fromkeys(left):
            reaction.addSubstrate(known[s].getKey(), float(left.count(s)))
        for s in dict.fromkeys(right):
            reaction.addProduct(known[s].getKey(), float(right.count(s)))
        reaction.setFunction("Mass action (irreversible)")
        reaction.setParameterObjects("substrate", [known[s] for s in left])
        reaction.setParameterValue("k1", constant)
    model.compileIfNecessary()

    task = data.getTask("Time-Course")
    task.setMethodType(COPASI.CTaskEnum.Method_directMethod)
    problem, method = task.getProblem(), task.getMethod()
    problem.setStepNumber(1)
    problem.setTimeSeriesRequested(False)
    method.getParameter("Max Internal Steps").setIntValue(2**31 - 1)
    method.getParameter("Use Random Seed").setBoolValue(True)

    def run(time, replicas, seed):
        problem.setDuration(time)
        took, finals = 0, []
        for k in range(replicas):
            method.getParameter("Random Seed").setUIntValue(seed * 10007 + k)
            model.applyInitialValues()
            task.initializeRaw(COPASI.CCopasiTask.ONLY_TIME_SERIES)  # compiles the model anew: not the simulation's time
            one, fine = seconds(task.processRaw, True)
            if not fine:
                raise SystemExit(COPASI.CCopasiMessage.getAllMessageText())
            took += one
            finals.append([known[s].getValue() for s in job.species])
            task.restore()
        return took, finals

    return COPASI.__version__, run, lambda finals: finals


serve(build)
