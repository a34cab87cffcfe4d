"""The pages of --html: for a map, a current against voltage and a course, the drawing is well-formed XML, has a cell or a point
of a path for each row of the table, and stands where the numbers do; the table on the page is the one of --json, to the last bit;
the line of zero of a map runs where the flux is known to vanish; a file that cannot be made is refused with exit 5.

usage: report_studies.py BUILD SOURCE"""

import csv
import io
import json
import math
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import urllib.parse
import xml.etree.ElementTree

build, source = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
models = source / "networks/models"
failures, checks = [], 0


def check(holds, what):
    global checks
    checks += 1
    if not holds:
        failures.append(what)


def ness(*words):
    return subprocess.run([build / "ness", *map(str, words)], capture_output=True, text=True, timeout=120, cwd=source)


def number(text):
    return float(text) if text not in ("", None) else math.nan


def same_table(page, rows):
    """Whether the table in the link of a page holds these rows and no others, bit for bit."""
    link = re.search(r'href="data:text/csv;charset=utf-8,([^"]*)"', page)
    shown = list(csv.reader(io.StringIO(urllib.parse.unquote(link.group(1))))) if link else []
    if len(shown) != len(rows) + 1 or shown[0] != list(rows[0]):
        return False
    return all(number(a) == float(b) or math.isnan(number(a)) for line, row in zip(shown[1:], rows) for a, b in zip(line, row.values()))


def page_of(folder, path, *words):
    """The drawings of a page, its text and the answer, which the page must not change."""
    page = folder / "page.html"
    page.unlink(missing_ok=True)
    plain, done = ness(*words, "--json", "-q"), ness(*words, "--json", "-q", "--html", page)
    check(plain.returncode == 0 and done.returncode == 0 and done.stdout == plain.stdout, f"{words}: {done.stderr}{plain.stderr}")
    text, answer = page.read_text(), json.loads(done.stdout)
    name = " ".join(map(str, words[:2]))
    try:
        drawings = [xml.etree.ElementTree.fromstring(svg) for svg in re.findall(r'<svg xmlns=.*?</svg>', text, re.S)]
    except xml.etree.ElementTree.ParseError as error:
        drawings = []
        check(False, f"{name}: {error}")
    check(drawings and all(len(d.findall("{*}title")) == 1 and len(d.findall("{*}desc")) == 1 for d in drawings), f"{name}: no drawing, or no title")
    check(not re.search(r"(src|href)=\"(?!data:|#)", text) and "nan" not in "".join(re.findall(r' d="[^"]*"', text)), f"{name}: asks for more, or draws nan")
    check(same_table(text, answer[path]), f"{name}: the table on the page is another")
    spoilt = [dict(row) for row in answer[path]]
    spoilt[-1][list(spoilt[-1])[-1]] = 12345.678
    check(not same_table(text, spoilt), f"{name}: a wrong number in the table is not noticed")
    check(answer["model"] in text and "ness " + words[0] in text, f"{name}: no name or no command")
    return drawings, text, answer


def paths(drawing, kind):
    return [p.get("d") for p in drawing.iter() if p.get("class", "").split()[:1] == [kind]]


def points(path):
    return [tuple(map(float, pair)) for pair in re.findall(r"[ML](-?[\d.]+) (-?[\d.]+)", path)]


def straight(drawn, true):
    """The largest distance of drawn places from a straight line of the true values, in pixels."""
    (d0, t0), (d1, t1) = min(zip(drawn, true), key=lambda p: p[1]), max(zip(drawn, true), key=lambda p: p[1])
    return max(abs(d - d0 - (t - t0) * (d1 - d0) / (t1 - t0)) for d, t in zip(drawn, true))


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)

    # A map: the flux of a carrier between two baths vanishes where they are equal, whatever the field.
    drawings, text, answer = page_of(folder, "table", "scan", models / "four-state-carrier.ness", "V=-2:2:0.5", "ci=0.45:2:0.1")
    cells = [paths(d, "cell") for d in drawings]
    check([len(c) for c in cells] == [len(answer["table"])] * 2 == [9 * 16] * 2, f"map: {[len(c) for c in cells]} cells")
    corners = [re.match(r"M([\d.]+) ([\d.]+)H([\d.]+)V([\d.]+)", c) for c in cells[0]]
    middles = [(0.5 * (float(c[1]) + float(c[3])), 0.5 * (float(c[2]) + float(c[4]))) for c in corners]
    check(straight([m[0] for m in middles], [row["ci"] for row in answer["table"]]) < 0.05, "map: cells do not stand at their ci")
    check(straight([m[1] for m in middles], [row["V"] for row in answer["table"]]) < 0.05, "map: cells do not stand at their V")
    light = [sum(weight * int(colour[i:i + 2], 16) for weight, i in ((0.2126, 1), (0.7152, 3), (0.0722, 5)))
             for colour in re.findall(r'class="cell" fill="(#[0-9a-f]{6})"', text)[:len(middles)]]
    order = sorted(range(len(light)), key=lambda k: answer["table"][k]["J"])
    check(all(light[a] <= light[b] + 1 for a, b in zip(order, order[1:])) and light[order[-1]] > light[order[0]] + 100, "map: grey does not rise with the value")
    zero = [points(p) for p in paths(drawings[0], "zero")]
    one = middles[0][0] + (1 - 0.45) / 0.1 * (middles[1][0] - middles[0][0])
    check(len(zero) == 1 and len(zero[0]) == 2 * 8 and all(abs(x - one) < 1 for x, _ in zero[0]), f"map: zero at {zero}, not at {one}")
    check(not paths(drawings[1], "zero"), "map: entropy production has no sign, but a line of zero")

    # Cells without a number stay empty, and powers stand apart evenly.
    drawings, text, answer = page_of(folder, "table", "scan", models / "four-state-carrier.ness", "ci=1:1000:*10", "V=-1:1:1", "--column", "ln(ci - 1)")
    there = [row for row in answer["table"] if math.isfinite(float(row["ln(ci - 1)"]))]
    check(0 < len(there) < len(answer["table"]) == 12 and len(paths(drawings[0], "cell")) == len(there), f"map: {len(there)} numbers, other cells")
    check(len(re.findall(r'>10<tspan', text)) == 4, "map: no axis of powers")

    # A current against the voltage, with its reversal where the exact answer has it.
    drawings, text, answer = page_of(folder, "table", "iv", models / "voltage-clamp.ness", "V=-120:40:5[mV]")
    line = points(paths(drawings[0], "line")[0])
    check(len(line) == len(answer["table"]) == 33, f"iv: {len(line)} points")
    check(straight([p[0] for p in line], [row["V [mV]"] for row in answer["table"]]) < 0.05, "iv: points do not stand at their voltage")
    check(straight([p[1] for p in line], [row["I [pA]"] for row in answer["table"]]) < 0.05, "iv: points do not stand at their current")
    dots = [float(p.get("cx")) for p in drawings[0].iter() if p.get("class", "").startswith("dot")]
    drawn = line[0][0] + (answer["reversals"][0]["V [mV]"] + 120) / 160 * (line[-1][0] - line[0][0])
    check(len(dots) == 1 and abs(dots[0] - drawn) < 0.05, f"iv: reversal at {dots}, not at {drawn}")
    drawings, text, answer = page_of(folder, "table", "iv", models / "voltage-clamp.ness", "V=-120:-60:20[mV]", "--simulate", "--time", "1ms", "--replicas", 4,
                                     "--seed", 1)
    check(len(paths(drawings[0], "whisker")) == len(answer["table"]) == 4, "iv: a sampled point without its interval")
    spans = [tuple(map(float, re.match(r"M[\d.]+ ([\d.]+)V([\d.]+)", w).groups())) for w in paths(drawings[0], "whisker")]
    places = [float(p.get("cy")) for p in drawings[0].iter() if p.get("class", "").startswith("dot")][:4]
    scale = (places[0] - places[-1]) / (answer["table"][-1]["I [pA]"] - answer["table"][0]["I [pA]"])
    check(all(abs(0.5 * (low + high) - y) < 0.02 and abs((low - high) / scale - 2 * 1.96 * row["I error [pA]"]) < 0.02 / scale
              for (low, high), y, row in zip(spans, places, answer["table"])), f"iv: intervals {spans} around {places}")

    # A course: every column that changes is a line, with a point a time.
    drawings, text, answer = page_of(folder, "course", "run", models / "action-potential.ness", "--time", "5ms", "--every", "0.1ms", "--replicas", 2, "--seed", 1)
    rows = answer["course"]
    moving = [key for key in rows[0] if not key.startswith(("t ", "sd ")) and len({row[key] for row in rows}) > 1]
    lines = [points(p) for d in drawings for p in paths(d, "line")]
    check(len(lines) == len(moving) > 10 and {len(line) for line in lines} == {len(rows)}, f"course: {len(lines)} lines of {len(moving)} columns")
    check(straight([p[1] for p in lines[0]], [row["V [mV]"] for row in rows]) < 0.05, "course: the voltage does not come first, or stands elsewhere")
    for question in ("transient", "ode", "lna"):
        drawings, text, answer = page_of(folder, "course", "solve", models / "fuel-cycle.ness", question, "--time", 1, "--every", 0.1)
        check(len(points(paths(drawings[0], "line")[0])) == 11, f"{question}: no line of 11 times")

    # What a search found is marked on the curve along each range, which runs through it: a scan of the same values says where.
    for words, others in ((("stall", models / "sglt.ness", "--of", "JS", "V=-150:100[mV]"), ()),
                          (("optimum", models / "kinetic-ratchet.ness", "--of", "JS", "gamma=0.1:1000[1/s]", "amplitude=10:200[mV]"), ("gamma", "amplitude"))):
        drawings, text, answer = page_of(folder, "table", *words)
        found, ranges = answer["table"][0], [word for word in words if re.search(r"=.*:", str(word))]
        check(len(drawings) == 2 * len(ranges), f"{words[0]}: {len(drawings)} drawings of {len(ranges)} ranges")
        for i, drawn in enumerate(drawings[::2]):
            key = list(found)[i]
            name, low, high, unit = re.match(r"(\w+)=([-\d.]+):([-\d.]+)(.*)", ranges[i]).groups()
            low, high = float(low), float(high)
            factors = low > 0 and high > 20 * low
            place = (lambda x: math.log(x / low) / math.log(high / low)) if factors else (lambda x: (x - low) / (high - low))
            fixed = [f"{other}={found[next(k for k in found if k.split()[0] == other)]!r}" + re.search(r"\[.*", next(r for r in ranges if r.startswith(other + "="))).group()
                     for other in others if other != name]
            steps = f"*{(high / low) ** (1 / 60)!r}" if factors else repr((high - low) / 60)
            rows = json.loads(ness("scan", words[1], f"{name}={low!r}:{high!r}:{steps}{unit}", *fixed, "--column", "JS", "--json", "-q").stdout)["table"]
            line, dot = points(paths(drawn, "line")[0]), [p for p in drawn.iter() if p.get("class", "").startswith("dot")]
            value = next(k for k in rows[0] if k.split()[0] == "JS")
            check(len(line) == 61 and 60 <= len(rows) <= 61 and len(dot) == 1, f"{words[0]}: {len(line)} points, {len(rows)} rows, {len(dot)} marks")
            check(straight([p[0] for p in line], [k / 60 for k in range(61)]) < 0.05, f"{words[0]}: points of {name} do not stand evenly")
            check(straight([p[1] for p in line[:60]], [row[value] for row in rows[:60]]) < 0.05, f"{words[0]}: the curve along {name} is another than the scan's")
            across = line[0][0] + place(found[key]) * (line[-1][0] - line[0][0])
            check(abs(float(dot[0].get("cx")) - across) < 0.05, f"{words[0]}: the mark of {name} stands elsewhere")
            best = min(p[1] for p in line)
            if words[0] == "optimum":
                check(float(dot[0].get("cy")) < best + 0.02, "optimum: the curve rises above what was found")

    # Where nothing is to be drawn the answer stands as tables.
    words = ("scan", models / "four-state-carrier.ness", "V=-1:1:1", "ci=1:2:1", "co=1:2:1")
    done = ness(*words, "--html", folder / "table.html", "--force")
    page = (folder / "table.html").read_text()
    check(done.returncode == 0 and "<svg" not in page and same_table(page, json.loads(ness(*words, "--json").stdout)["table"]), f"three ranges: {done.stderr}")

    # Files that cannot be made; the first three before the work.
    scan = ("scan", models / "sglt.ness", "V=-100:100:50[mV]", "--csv", "-")
    (folder / "there.html").write_text("mine")
    for path, output in ((folder / "there.html", False), (folder, False), (folder / "there.html" / "x.html", False), (folder / "none" / "x.html", True)):
        done = ness(*scan, "--html", path)
        check(done.returncode == 5 and str(path) in done.stderr and bool(done.stdout) == output, f"{path}: exit {done.returncode} {done.stderr}")
    check((folder / "there.html").read_text() == "mine" and sorted(os.listdir(folder)) == ["page.html", "table.html", "there.html"], "something was left behind")
    if os.path.exists("/dev/full"):
        check(ness(*scan, "--html", "/dev/full").returncode == 5, "a full disk is not noticed")
    done = ness(*scan, "--html", folder / "there.html", "--force")
    check(done.returncode == 0 and "<svg" in (folder / "there.html").read_text(), f"--force: {done.stderr}")
    check(done.stdout == ness(*scan).stdout, "the table on stdout is another beside a page")

for failure in failures:
    print(f"FAILED: {failure}", file=sys.stderr)
print(f"{checks} checks, {len(failures)} failures")
sys.exit(bool(failures))
