"""Storm by stormpy: the steady-state distribution, `sound` or with what Storm takes by itself. Reading does not count."""
from importlib.metadata import version

import stormpy
from adapter import seconds
from solving import FOLDER, VARIANT, exported, judge, peak_mb, tell

source = exported()
matrix, labels = FOLDER / "storm.tra", FOLDER / "storm.lab"
matrix.write_text("ctmc\n" + source.read_text().split("\n", 1)[1])
labels.write_text("#DECLARATION\ninit\n#END\n0 init\n")
model = stormpy.build_model_from_explicit(str(matrix), str(labels))
environment = stormpy.environments.sound() if VARIANT == "sound" else stormpy.Environment()
took, result = seconds(lambda: stormpy.analysis.compute_steady_state_distribution(model, environment=environment))
peak = peak_mb()
tell(version("stormpy"), took, peak, judge([result.get_value(s) for s in range(model.nr_states)]))
