"""ness by its command; the variant is a --method."""
import csv
import json
import os
import subprocess

from adapter import seconds, serve


def build(job, folder, method):
    model = folder / f"{job.name}.ness"
    model.write_text(job.ness())
    command = [os.environ["NESS"], "run", str(model), "--threads", "1", "--json"]
    if method:
        command += ["--method", method]
    last = {}

    def run(time, replicas, seed):
        last.update(time=time, replicas=replicas, seed=seed)
        size = ["--time", repr(time), "--replicas", str(replicas), "--seed", str(seed)]
        took, done = seconds(lambda: subprocess.run([*command, "--level", "summary", *size], check=True, capture_output=True))
        return took, json.loads(done.stdout)["run"]["events"]

    def finals(events):
        """The same replicas once more, with their last states kept; the first row tells how many events they took."""
        dump = folder / "final.msgpack"
        size = ["--time", repr(last["time"]), "--replicas", str(last["replicas"]), "--seed", str(last["seed"])]
        subprocess.run([*command, "--level", "grid", "--every", repr(last["time"]), "-o", str(dump), "--force", *size],
                       check=True, stdout=subprocess.DEVNULL)
        table = subprocess.run([os.environ["NESS"], "dump", "export", str(dump), "-o", "-", "--format", "csv"], check=True,
                               capture_output=True, text=True).stdout
        rows = csv.DictReader(line for line in table.splitlines() if not line.startswith("#"))
        yield [events]
        for row in rows:
            yield [row[s] for s in job.species]

    version = subprocess.run([os.environ["NESS"], "version"], check=True, capture_output=True, text=True).stdout.split()[1]
    return version, run, finals


serve(build)
