"""Runs what the documentation shows: every ```ness block compiles, every ```ness-error block gives the error of the ```error
block behind it, and every `$ command` of a ```console block prints what stands under it (a line `...` stands for any lines).
Tables (.csv) beside a page are there for its commands. A ```ness block whose first line is `# file: NAME` is saved under that name for the console blocks of the same page."""

import pathlib
import re
import subprocess
import sys
import tempfile

build, source = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
program = build / "ness"
failures = []
counts = {"ness": 0, "ness-error": 0, "console": 0}


def run(command, folder):
    return subprocess.run(command, shell=True, cwd=folder, capture_output=True, text=True, timeout=300, executable="/bin/bash",
                          env={"PATH": f"{build}:/usr/bin:/bin", "COLUMNS": "100", "NO_COLOR": "1", "HOME": "/tmp"})


def matches(expected, actual):
    pattern = "".join(r"(?:.*\n)*?" if line.strip() == "..." else re.escape(line.rstrip()) + r" *\n" for line in expected)
    return re.fullmatch(pattern, actual if actual.endswith("\n") or not actual else actual + "\n") is not None


def console(page, text, folder):
    shown, command = [], None
    for line in text.splitlines() + ["$ "]:
        if not line.startswith("$ "):
            shown.append(line)
            continue
        if command:
            counts["console"] += 1
            done = run(command, folder)
            if not matches(shown, done.stdout + done.stderr):
                failures.append(f"{page}: $ {command}\n--- shown\n" + "\n".join(shown) + f"\n--- printed\n{done.stdout}{done.stderr}")
        command, shown = line[2:], []


for page in sorted([source / "README.md", *source.glob("docs/**/*.md")]):
    blocks = re.findall(r"^```([\w-]+)\n(.*?)^```$", page.read_text(), re.M | re.S)
    with tempfile.TemporaryDirectory() as folder:
        (pathlib.Path(folder) / "networks").symlink_to(source / "networks")
        for table in page.parent.glob("*.csv"):
            (pathlib.Path(folder) / table.name).symlink_to(table)
        for i, (kind, text) in enumerate(blocks):
            if kind in ("ness", "ness-error"):
                counts[kind] += 1
                name = re.match(r"# file: (\S+)", text)
                path = pathlib.Path(folder) / (name.group(1) if name else f"example{i}.ness")
                path.write_text(text)
                done = run(f"ness info {path.name}", folder)
                if kind == "ness" and done.returncode != 0:
                    failures.append(f"{page}: a model does not compile\n{done.stderr}")
                if kind == "ness" and "experiment" in text and not name:
                    done = run(f"ness test {path.name}", folder)
                    if done.returncode != 0:
                        failures.append(f"{page}: an experiment fails\n{done.stdout}{done.stderr}")
                if kind == "ness-error" and (done.returncode != 3 or blocks[i + 1][1].strip() not in done.stderr):
                    failures.append(f"{page}: expected `{blocks[i + 1][1].strip()}` and exit 3, got {done.returncode}\n{done.stderr}")
            elif kind == "console":
                console(page, text, folder)

print(f"{counts['ness']} models, {counts['ness-error']} errors, {counts['console']} commands")
if counts["ness"] < 3 or counts["ness-error"] < 3:
    failures.append("the documentation has lost its examples")
for failure in failures:
    print(failure, file=sys.stderr)
sys.exit(1 if failures else 0)
