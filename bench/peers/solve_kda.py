"""kda: all net cycle fluxes of EmrE by diagrams, against those that ness lists."""
import json
from importlib.metadata import version

import networkx
import numpy
from adapter import seconds
from kda import calculations, graph_utils
from solving import model, ness, peak_mb, rates, tell

n, i, j, k = rates()
matrix = numpy.zeros((n, n))
matrix[i, j] = k
graph = networkx.MultiDiGraph()
graph_utils.generate_edges(graph, matrix)


def fluxes():
    return [calculations.calc_net_cycle_flux(graph, c, c, key="val") for c in graph_utils.find_all_unique_cycles(graph)]


took, found = seconds(fluxes)
peak = peak_mb()
other = [c["net"] for c in json.loads(ness("solve", *model(), "--json"))["cycles"]]
worst = max(abs(a - b) for a, b in zip(sorted(map(abs, found)), sorted(map(abs, other))))
note = f"{len(found)} cycles, {len(other)} of ness; sizes differ by {worst:.0e} at most, the largest is {max(map(abs, found)):.3g} /s"
tell(version("kda"), took, peak, note)
