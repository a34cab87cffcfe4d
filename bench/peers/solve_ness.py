"""`ness solve`, from the text of the model to the answer; its states are listed in a second run, for the judgement."""
import json
import resource

from adapter import seconds
from solving import WHAT, judge, model, ness, peak_mb, probabilities_of_ness, tell

took, text = seconds(lambda: ness("solve", *model(), "--json"))
peak = peak_mb(resource.RUSAGE_CHILDREN)
answer = json.loads(text)
if WHAT.startswith("EmrE"):
    note = f"{answer['cycle_count']['found']} cycles; {answer['method']['relative_error_below']:.1e} proven for the probabilities"
else:
    proven = f"{answer['method']['relative_error_below']:.1e} proven ({answer['method']['name']})"
    note = proven if WHAT.startswith("kanban") else judge(probabilities_of_ness()) + "; " + proven
tell(answer["version"], took, peak, note)
