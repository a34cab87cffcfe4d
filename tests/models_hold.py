"""Every expectation of every shipped model and of tests/experiments holds, exactly and by simulation; and one that does not is seen."""

import pathlib
import subprocess
import sys
import tempfile

build, source = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
done = subprocess.run([build / "ness", "test", source / "networks/models", source / "tests/experiments"], timeout=280)

with tempfile.TemporaryDirectory() as folder:
    wrong = pathlib.Path(folder) / "wrong.ness"
    wrong.write_text("model wrong\nunits natural\nspecies A = 1, B = 0\nr: A <-> B @ 1, 2\n"
                     "experiment e {\n  solve steady\n  expect mean(A) ~ 0.66 +- 1e-3\n}\n")
    caught = subprocess.run([build / "ness", "test", wrong], capture_output=True).returncode == 4
print("a planted wrong expectation", "is caught" if caught else "IS NOT CAUGHT")
sys.exit(done.returncode or not caught)
