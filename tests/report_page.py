"""The pages of `ness report`, as text: well-formed HTML with one h1, unique ids, links and labels that resolve, nothing from
outside, every drawing well-formed XML with title and description, every table with caption and scopes; escaped names; the
numbers of `ness analyze`, `ness check` and `ness solve` to the printed digits; contrast of the colours; and what happens
without Graphviz, with a false one, on a full disk and where nothing may be written.

usage: report_page.py BUILD SOURCE. Broken pages, one for each rule, show first that the checks can fail."""

import html.parser
import json
import math
import os
import pathlib
import re
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

build, source = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
program, models = build / "ness", source / "networks/models"
failures, checks = [], 0

VOID = {"meta", "link", "br", "hr", "img", "input"}


def check(holds, what):
    global checks
    checks += 1
    if not holds:
        failures.append(what)


class Page(html.parser.HTMLParser):
    """Tags with their nesting, texts by the element they stand in, and what is wrong with the page."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.stack, self.wrong, self.ids, self.refs = [], [], [], []
        self.count, self.headings, self.texts, self.tables = {}, [], {}, []
        self.feed(text)
        self.close()
        if self.stack:
            self.wrong.append(f"not closed: {self.stack}")

    def handle_starttag(self, tag, attributes, closed=False):
        values = dict(attributes)
        self.count[tag] = self.count.get(tag, 0) + 1
        if "id" in values:
            self.ids.append(values["id"])
        for name in ("aria-labelledby", "aria-describedby"):
            self.refs += values.get(name, "").split()
        if tag == "a":
            self.refs.append(values["href"][1:])
        for name, value in attributes:
            if name.startswith("on"):
                self.wrong.append(f"<{tag} {name}>")
            if name in ("src", "href", "data", "poster", "srcset", "action", "xlink:href") and not re.fullmatch(r"#[\w-]+|data:,", value or ""):
                self.wrong.append(f"<{tag} {name}={value}>")
            if name == "style" and "url(" in value:
                self.wrong.append(f"style with url: {value}")
        if re.fullmatch("h[1-6]", tag):
            self.headings.append(int(tag[1]))
        if tag == "table":
            self.tables.append({"caption": 0, "scopes": True, "rows": []})
        if self.tables and "table" in self.stack + [tag]:
            table = self.tables[-1]
            table["caption"] += tag == "caption"
            if tag == "th" and values.get("scope") not in ("col", "row"):
                table["scopes"] = False
            if tag == "tr":
                table["rows"].append([])
            if tag in ("td", "th"):
                table["rows"][-1].append("")
        if tag not in VOID and not closed:
            self.stack.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes, closed=True)

    def handle_endtag(self, tag):
        if not self.stack or self.stack.pop() != tag:
            self.wrong.append(f"</{tag}> closes something else")

    def handle_data(self, data):
        for tag in set(self.stack[-3:]):
            self.texts.setdefault(tag, []).append(data)
        if {"td", "th"} & set(self.stack) and self.tables and self.tables[-1]["rows"] and self.tables[-1]["rows"][-1]:
            self.tables[-1]["rows"][-1][-1] += data


def faults(text):
    """Everything that is wrong with a page, as texts."""
    page = Page(text)
    wrong = list(page.wrong)
    if page.count.get("h1") != 1:
        wrong.append(f"{page.count.get('h1')} h1")
    if len(set(page.ids)) != len(page.ids):
        wrong.append("an id twice")
    wrong += [f"#{ref} leads nowhere" for ref in page.refs if ref not in page.ids]
    if any(b > a + 1 for a, b in zip(page.headings, page.headings[1:])):
        wrong.append(f"a heading is left out: {page.headings}")
    wrong += ["a table without one caption or without scopes" for t in page.tables if t["caption"] != 1 or not t["scopes"]]
    if page.count.get("script", 0) != 1 or page.count.get("style", 0) != 1:
        wrong.append("not one script and one style")
    for tag in ("iframe", "object", "embed", "base", "form", "img"):
        if tag in page.count:
            wrong.append(f"<{tag}>")
    style = re.search(r"<style>(.*?)</style>", text, re.S).group(1)
    if "url(" in style or "@import" in style:
        wrong.append("the style asks for something")
    if not re.search(r'<html lang="en">', text):
        wrong.append("no language")
    for drawing in re.findall(r"<svg.*?</svg>", text, re.S):
        try:
            root = xml.etree.ElementTree.fromstring(drawing)
        except xml.etree.ElementTree.ParseError as error:
            wrong.append(f"a drawing is no XML: {error}")
            continue
        if "nan" in re.sub(r"<(title|desc|text)\b.*?</\1>", "", drawing) or "inf" in re.sub(r"<(title|desc|text)\b.*?</\1>", "", drawing):
            wrong.append("a drawing with a coordinate that is no number")
        names = [child.tag.split("}")[-1] for child in root]
        if root.get("aria-hidden") != "true" and (root.get("role") != "img" or names[:2] != ["title", "desc"]):
            wrong.append("a drawing without title and description")
    return wrong


def crossings(text):
    """Arrows of the network that run through a node, as texts."""
    drawing = re.search(r'<svg[^>]*class="network".*?</svg>', text, re.S)
    if not drawing:
        return []
    nodes = [tuple(map(float, n)) for n in
             re.findall(r'<g class="node[^"]*"><rect x="([\d.-]+)" y="([\d.-]+)" width="([\d.]+)" height="([\d.]+)"', drawing.group(0))]
    wrong = []
    for name, path in re.findall(r'<g class="edge [^"]*"><title>([^:]*):.*?<path d="([^"]*)"', drawing.group(0), re.S):
        numbers = list(map(float, re.findall(r"-?[\d.]+", path)))
        points = list(zip(numbers[::2], numbers[1::2]))
        for k in range(0, len(points) - 3, 3):
            p = points[k:k + 4]
            for t in (i / 20 for i in range(21)):
                w = ((1 - t) ** 3, 3 * (1 - t) ** 2 * t, 3 * (1 - t) * t * t, t ** 3)
                x, y = (sum(a * q[d] for a, q in zip(w, p)) for d in (0, 1))
                if any(left + 3 < x < left + width - 3 and top + 3 < y < top + height - 3 for left, top, width, height in nodes):
                    wrong.append(f"the arrow {name} runs through a node")
                    break
    return wrong


GOOD = ('<!DOCTYPE html><html lang="en"><head><style>a{}</style></head><body><h1 id="a">x</h1><h2>y</h2><a href="#a">z</a>'
        '<svg xmlns="http://www.w3.org/2000/svg" role="img"><title>t</title><desc>d</desc></svg>'
        '<table><caption>c</caption><tr><th scope="col">n</th></tr></table><script>1</script></body></html>')
ARROW = ('<svg class="network"><g class="edge a1"><title>r: A</title><path d="M0 5C10 5 20 5 30 5"/></g>'
         '<g class="node"><rect x="%d" y="0" width="10" height="10"/></g></svg>')
PLANTED = [("<h1 id=\"a\">x</h1>", "<h1 id=\"a\">x"), ("<h2>y</h2>", "<h2 id=\"a\">y</h2>"), ("#a\"", "#b\""), ("#a\"", "http://x\""),
           ("<h2>y</h2>", "<h3>y</h3>"), ("<title>t</title>", ""), ("</desc>", "</des>"), ("<caption>c</caption>", ""), (' scope="col"', ""),
           ("a{}", "a{background:url(x)}"), ("<h2>", "<h2 onclick=\"x\">"), ("<script>1</script>", "<script>1</script><script>2</script>"),
           ("<desc>", "<path d='Mnan 1'/><desc>"), ('lang="en"', ""), ("<h2>y</h2>", "<h2>y</h2><img src=\"x\">")]


def run(*arguments, code=0, **options):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True, timeout=300, **options)
    check(done.returncode == code, f"exit {done.returncode} instead of {code}: {arguments}\n{done.stderr}")
    return done


def report(path, *arguments, code=0, **options):
    """The text of a page and the result of the command."""
    out = pathlib.Path("page.html")
    out.unlink(missing_ok=True)
    done = run("report", path, "-o", out, "--json", *arguments, code=code, **options)
    text = out.read_text(encoding="utf-8") if out.exists() else ""
    if code == 0:
        check(text != "", f"no page of {path}")
        wrong = faults(text) + crossings(text) if text else []
        check(not wrong, f"{path}: {wrong[:5]}")
        check(not list(pathlib.Path(".").glob("*.part")), "a part of a file is left behind")
    return text, json.loads(done.stdout) if done.stdout else {}


def short(value):
    """A number as the page prints it."""
    if isinstance(value, str):
        return {"inf": "\u221e", "-inf": "-\u221e", "nan": "\u2013"}[value]
    return "0" if value == 0 else "%.6g" % value


def verdict(text):
    found = re.search(r'<p class="verdict" id="verdict">(.*?)</p>', text, re.S)
    return html.unescape(found.group(1)) if found else None


def holds_rows(text, table, name):
    """Every row of a document's array stands in some table with all of its numbers in one line."""
    lines = [set(cell.strip() for cell in row) for t in Page(text).tables for row in t["rows"]]
    for row in table:
        wanted = {short(v) for v in row.values() if isinstance(v, (int, float)) and not isinstance(v, bool)}
        check(any(wanted <= line for line in lines), f"{name}: no line with {sorted(wanted)[:4]}... of {row}")


def test_models():
    for name in ("sglt", "fuel-cycle", "antiporter", "emre-cycles", "kinesin", "schlogl", "sedimentation", "cell-fate", "solar-cell", "vacuole",
                 "seebeck", "two-roads", "open-tank"):
        path = models / f"{name}.ness"
        text, done = report(path)
        asked = json.loads(run("check", path, "--json").stdout)
        solved = json.loads(run("solve", path, "--json", "--max-states", 5000).stdout)
        check(verdict(text) == asked["verdict"] == done["verdict"], f"{name}: the verdict is another one: {verdict(text)}")
        for key in ("steps", "work", "cycles", "counts", "observables"):
            holds_rows(text, solved.get(key, []), f"{name} {key}")
        check(short(solved["entropy"]["production_kb_per_s"]) in text, f"{name}: entropy production")


def test_curves():
    text, _ = report(models / "sglt.ness")
    command = re.search(r"<code>ness scan (.*?)</code>", text, re.S)
    check(command is not None and "V=-120:120:6[mV]" in command.group(1), "sglt has no curve against its voltage")
    table = json.loads(run("scan", models / "sglt.ness", "V=-120:120:6[mV]", "--json").stdout)["table"]
    holds_rows(text, table, "the scan of sglt")
    check(report(models / "sglt.ness", "KS=2[mM]")[0].count("&#39;KS=2[mM]&#39;") == 1, "the setting is not in the command of the curve")
    text, _ = report(models / "fms.ness")
    check("No curve is drawn" in text or "ness scan" in text, "fms: neither a curve nor a reason")


def estimates(text, analyzed, name):
    for key in ("steps", "means", "observables", "reservoirs", "currents", "cycles"):
        holds_rows(text, analyzed[key], f"{name} {key}")
    for part in ("thermodynamic", "plug_in"):
        for key in ("estimate", "error", "exact", "z"):
            if isinstance(analyzed["entropy"][part].get(key), float):
                check(short(analyzed["entropy"][part][key]) in text, f"{name}: {part} {key}")


def numbers_of(text, caption):
    """The table of numbers below a figure, by its caption."""
    found = re.search(r"<caption>" + re.escape(caption) + r"</caption>.*?<tbody>(.*?)</tbody>", text, re.S)
    if not found:
        return []
    cells = re.findall(r"<tr>(.*?)</tr>", found.group(1), re.S)
    return [[float(n) for n in re.findall(r'<td class="n">([^<]*)</td>', row)] for row in cells]


def test_dumps():
    pages = {}
    shared = ["--time", 200, "--warmup", 20, "--seed", 2, "--replicas", 64]
    for level in ("flux", "events", "summary", "grid"):
        run("run", models / "fuel-cycle.ness", "A=5", "-o", f"{level}.msgpack", "--level", level, *shared)
        pages[level], done = report(f"{level}.msgpack")
        analyzed = json.loads(run("analyze", f"{level}.msgpack", "--json").stdout)
        check(verdict(pages[level]) == analyzed["verdict"] == done["verdict"], f"{level}: the verdict is another one")
        estimates(pages[level], analyzed, level)
        check("A=5" in pages[level] and "<code>2</code>" in pages[level], f"{level}: settings or seed are missing")
        running = numbers_of(pages[level], "running estimate")
        if level in ("flux", "events"):
            last, estimate = running[-1][1], analyzed["entropy"]["thermodynamic"]["estimate"]
            check(abs(last - estimate) <= 1e-5 * abs(estimate), f"{level}: the running estimate ends at {last}, not {estimate}")
            check(len(running) == 100 and running[-1][0] == 180, f"{level}: {len(running)} points to {running[-1][0]}")
        else:
            check("flux and events do" in pages[level] and not running, f"{level}: no reason why there is no histogram")
    # The same trajectory counted by windows and followed event by event: the same histogram and the same running estimate.
    for caption in ("share of windows per k_B", "running estimate"):
        flux, events = (numbers_of(pages[level], caption) for level in ("flux", "events"))
        check(flux == events and len(flux) > 5, f"{caption}: flux and events differ")


def drawn(drawing, style):
    """The points of a line of a drawing whose axes go by powers of ten, by the marks on them."""
    marks = re.findall(r'<text class="mark" x="([\d.]+)" y="([\d.]+)" text-anchor="(\w+)">10<tspan[^>]*>(-?\d+)</tspan>', drawing)
    axes = []
    for anchor, place in (("middle", 0), ("end", 1)):
        ends = [(float(m[place]) - 4 * place, int(m[3])) for m in marks if m[2] == anchor]
        (a, first), (b, last) = ends[0], ends[-1]
        axes.append((a, first, (last - first) / (b - a)))
    line = re.search(r'<path class="line ' + style + r'" d="([^"]*)"', drawing)
    points = [tuple(map(float, pair.split())) for pair in re.split("[ML]", line.group(1))[1:]] if line else []
    return [[10 ** (power + step * (at - origin)) for at, (origin, power, step) in zip(point, axes)] for point in points]


def test_spectra():
    model = pathlib.Path("two.ness")
    model.write_text("model two\nunits natural\nspecies A = 1, B = 0\nab: A <-> B @ 2, 3\nobserve level = 2*mean(A)\nobserve flow = rate(ab)\n")
    shared = ["--time", 300, "--warmup", 5, "--seed", 2, "--replicas", 20, "-o", "two.msgpack", "--force"]
    for level, more, names in (("events", [], ["flow", "A"]), ("grid", ["--every", "0.05"], ["level", "A"]), ("flux", [], []), ("record", [], ["A", "a"])):
        path, how = "two.msgpack", []
        if level == "record":
            path, how = source / "docs/questions/record.csv", ["--record"]
        else:
            run("run", model, "--level", level, *more, *shared)
        text, _ = report(path, *how)
        spectra = json.loads(run("analyze", path, "--json").stdout).get("spectra")
        if level == "flux":
            check(spectra is None and "No spectrum is drawn" in text, "flux: neither a spectrum nor a reason")
            continue
        holds_rows(text, spectra["points"], f"{level}: spectra")
        holds_rows(text, spectra["watched"], f"{level}: spectra watched")
        figures = re.findall(r"<figure(?:(?!</figure>).)*Two-sided power spectrum of (.*?); .*?(<svg.*?</svg>)", text, re.S)
        groups = [[row for row in spectra["points"] if (row["kind"] == "count") == count] for count in (False, True)]
        groups = [group for group in groups if group]
        check(len(figures) == len(groups) == 2 and (level == "record" or [of for of, _ in figures] == names), f"{level}: {[of for of, _ in figures]}")
        for (_, drawing), rows in zip(figures, groups):
            for style, key in (("s1", "estimate"), ("s2 dashed", "exact")):
                wanted = [[row["f_hz"], row[key]] for row in rows if isinstance(row.get(key), float)]
                found = drawn(drawing, style)
                check(len(wanted) == len(found) and (wanted or key == "exact"), f"{level}: {len(found)} points of {key}, not {len(wanted)}")
                off = [abs(math.log(f / w)) for a, b in zip(found, wanted) for f, w in zip(a, b)]
                check(max(off, default=0) < 2e-3, f"{level}: {key} is drawn {max(off, default=0):.2g} off")
            check('class="band"' in drawing, f"{level}: no band")
        check(("is folded back" in text) == (level == "grid"), f"{level}: folding")


def test_split():
    run("run", models / "flicker-carrier.ness", "--time", 40, "--warmup", 5, "--replicas", 32, "--seed", 3, "--level", "events", "-o", "flicker.msgpack")
    text, _ = report("flicker.msgpack")
    parts = json.loads(run("analyze", "flicker.msgpack", "--json").stdout)["entropy"]["split"]["parts"]
    check(len(parts) == 2 and "the way to rest costs" in text, "flicker: no parts of the entropy production")
    holds_rows(text.split('id="tables"')[0], parts, "flicker: parts")


def test_records():
    record = source / "docs/questions/record.csv"
    text, done = report(record, "--record")
    analyzed = json.loads(run("analyze", record, "--json").stdout)
    check(verdict(text) == analyzed["verdict"] == done["verdict"], "record: the verdict is another one")
    for key in ("steps", "means", "cycles"):
        holds_rows(text, analyzed[key], f"record {key}")
    check(short(analyzed["entropy"]["plug_in"]["estimate"]) in text, "record: entropy production")
    check("ness fit makes one of it" in text, "record: no reason why no model is asked")
    mapped, _ = report(record, "--map", "empty=out,in full=occ")
    check("a lower bound" in mapped and "full" in mapped, "record: the states are not put together")


def test_fluctuation_theorem():
    # 46,080 windows of 4 k_B on average. The slope of ln P(s)/P(-s) is 1; its error says 0.02, neighbours share their ends,
    # so 6 errors are allowed: a false alarm below 1e-6, for a seed that is fixed. Without ln p(start)/p(end) it is 0.83.
    run("run", models / "fuel-cycle.ness", "A=5", "-o", "w.msgpack", "--time", 200, "--warmup", 20, "--window", 0.25, "--seed", 2)
    text, _ = report("w.msgpack")
    slope, error = map(float, re.search(r"has the slope (\S+) \u00b1 (\S+);", text).groups())
    check(abs(slope - 1) < 6 * error and error < 0.05, f"the fluctuation theorem has the slope {slope} +- {error}")
    density = numbers_of(text, "share of windows per k_B")
    width = density[1][0] - density[0][0]
    check(abs(sum(y for _, y in density) * width - 1) < 1e-3, "the histogram does not add up to 1")
    mean = sum(x * y for x, y in density) * width / 0.25
    check(abs(mean / 16.1907 - 1) < 0.1, f"the histogram has the mean {mean} k_B/s, not 16.19")
    # Here every window makes a multiple of 4 k_B and a difference of its ends, so that much lies on the border of a bin, and
    # all rates are formulas. The same limit of 6 errors; with borders that are not mirrored the slope is 0.966.
    run("run", models / "cell-fate.ness", "-o", "w.msgpack", "--force", "--time", 400, "--warmup", 50, "--window", 0.15, "--seed", 3)
    text, _ = report("w.msgpack")
    slope, error = map(float, re.search(r"has the slope (\S+) \u00b1 (\S+);", text).groups())
    check(abs(slope - 1) < 6 * error and error < 0.01, f"cell-fate: the fluctuation theorem has the slope {slope} +- {error}")
    text, _ = report(models / "fuel-cycle.ness")
    check("ness run writes a dump" in text, "a model has no reason for the lack of a histogram")


HOSTILE = "x<script>window.hit=1</script>&amp;\"'<img src=x onerror=window.hit=1>"


def test_escapes():
    name = HOSTILE.replace("/", "\u2215") + ".ness"
    model = f"# {HOSTILE} \x01 \u00fc\nmodel m\nunits natural\nbath F = 2, W = 1\nspecies A = 3, B = 0\nr: A + F <-> B + W @ 1, 1\ns: A <-> B @ 1, 1\n"
    pathlib.Path(name).write_text(model, encoding="utf-8")
    text, _ = report(name)
    check("<script>window" not in text and "<img" not in text and "onerror" in text, "a name is not escaped")
    pathlib.Path("latin.ness").write_bytes(b"# \xfc\xff\xc0\x80\n" + model.split("\n", 1)[1].encode())
    text, _ = report("latin.ness")
    check(text.count("\ufffd") + text.count("&#65533;") == 4, "bytes that are no UTF-8")
    run("run", name, "-o", "d.msgpack", "--time", 5, "--replicas", 16)
    text, _ = report("d.msgpack")
    check("<script>window" not in text and "<img" not in text, "a dump brings markup in")
    pathlib.Path("rates.csv").write_text("from,to,rate\n<b>,<i>,1\n<i>,<b>,2\n<i>,<u>,1\n<u>,<b>,1\n<b>,<u>,1\n<u>,<i>,1\n")
    if subprocess.run([program, "info", "rates.csv"], capture_output=True).returncode == 0:
        text, _ = report("rates.csv")
        check("<b>,<" not in text and "no parameters" in text, "a file of rates")


def test_layouts():
    quiet = {**os.environ, "PATH": "/nonexistent"}
    for model in sorted(models.glob("*.ness")):
        report(model, "--layout", "own")
    for name in ("sglt", "emre-cycles", "kinesin", "cell-fate", "fms", "kanban", "sedimentation"):
        _, done = report(models / f"{name}.ness", env=quiet)
        check("Graphviz" not in done["layout"], f"{name}: {done['layout']} without dot")
        own = pathlib.Path("page.html").read_text()
        _, done = report(models / f"{name}.ness", "--layout", "own")
        drawings = [re.search(r"<svg.*?</svg>", t, re.S).group(0) for t in (own, pathlib.Path("page.html").read_text())]
        check(drawings[0] == drawings[1], f"{name}: without dot and with --layout own are not the same")
    for what, script in {"fails": "exit 1", "lies": "echo graph 1 2 2; echo stop", "asks for more": "yes '<script>'", "hangs": "exec sleep 60",
                         "goes": "exit 0", "answers wrongly": "echo graph 1 2 2; for i in 0 1 2 3 4 5; do echo node n$i nan 1e9 1 1; done"}.items():
        folder = pathlib.Path(f"false-{what.replace(' ', '-')}")
        folder.mkdir()
        (folder / "dot").write_text(f"#!/bin/sh\n{script}\n")
        (folder / "dot").chmod(0o755)
        text, done = report(models / "sglt.ness", env={**os.environ, "PATH": f"{folder.resolve()}:{os.environ['PATH']}"})
        check("Graphviz" not in done["layout"] and "<script>\\n" not in text, f"a dot that {what} was believed")


def test_documents():
    pages = {}
    for which in ("unknown", "still", "wild", "many", "nothing"):
        done = subprocess.run([build / "tests/report_print", which], capture_output=True, text=True)
        pages[which] = done.stdout
        wrong = faults(done.stdout) if done.stdout else ["no page"]
        check(done.returncode == 0 and not wrong, f"{which}: {wrong[:5]} {done.stderr[:300]}")
        check("<script>window" not in done.stdout and "<b>&" not in done.stdout, f"{which}: markup of a name")
    text = pages["unknown"]
    further = text[text.index('id="further"'):text.index('id="tables"')]
    for number in ("0.123457", "12.3457", "14.3457", "98.7654", "1.5", "-&#8734;"):
        check(number in further, f"{number} of a chapter that is not known is lost")
    check("waiting times" in further and "markov test" in further and "deep number" in further, "a chapter that is not known is lost")
    check("301 steps" in pages["many"] or "240 steps" in pages["many"], "300 steps side by side")
    check("There is no verdict" in pages["nothing"], "nothing at all")


def limited():
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))


def test_failures():
    fuel = models / "fuel-cycle.ness"
    old = pathlib.Path("old.html")
    old.write_text("old")
    run("report", fuel, "-o", old, code=5)
    check(old.read_text() == "old", "a file was replaced without --force")
    run("report", fuel, "-o", old, "--force", code=5, preexec_fn=limited)
    check(old.read_text() == "old", "a file was lost when the disk was full")
    check(not list(pathlib.Path(".").glob("old.html.*")), "a part is left behind when the disk was full")
    run("report", fuel, "-o", "/dev/full", code=5)
    run("report", fuel, "-o", "no/such/folder.html", code=5)
    run("report", fuel, "-o", ".", code=5)
    run("report", fuel, code=2)
    run("report", fuel, "word", "-o", "x.html", code=2)
    run("report", "flux.msgpack", "A=3", "-o", "x.html", code=2)
    run("report", "nothing.ness", "-o", "x.html", code=5)
    pathlib.Path("torn.ness").write_text("model torn\nspecies A = )\n")
    run("report", "torn.ness", "-o", "x.html", code=3)
    pathlib.Path("torn.msgpack").write_bytes(pathlib.Path("flux.msgpack").read_bytes()[:900])
    run("report", "torn.msgpack", "-o", "x.html", code=5)
    check(not pathlib.Path("x.html").exists(), "a page of nothing was written")
    half = pathlib.Path("flux.msgpack").read_bytes()
    pathlib.Path("half.msgpack").write_bytes(half[:len(half) // 2])
    report("half.msgpack")
    run("report", fuel, "-o", old, "--force")
    check("Driven" in old.read_text() and stat.S_IMODE(old.stat().st_mode) == 0o666 & ~umask(), "the file that was replaced")
    locked = pathlib.Path("locked")
    locked.mkdir(mode=0o500)
    if os.geteuid() != 0:
        run("report", fuel, "-o", locked / "x.html", code=5)
    once = report(fuel)[0]
    check(once == report(fuel)[0], "the same page twice is not the same")
    check(report("flux.msgpack", "-j", 1)[0] == report("flux.msgpack", "-j", 2)[0], "the page depends on the threads")


def umask():
    now = os.umask(0o22)
    os.umask(now)
    return now


def luminance(colour):
    parts = [int(colour[i:i + 2], 16) / 255 for i in (1, 3, 5)] if len(colour) == 7 else [int(c * 2, 16) / 255 for c in colour[1:]]
    r, g, b = (c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


def contrast(a, b):
    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_contrast():
    check(abs(contrast("#000000", "#ffffff") - 21) < 1e-9 and abs(contrast("#777777", "#fff") - 4.48) < 0.01, "contrast itself")
    style = re.search(r"<style>(.*?)</style>", report(models / "fuel-cycle.ness")[0], re.S).group(1)
    themes = [dict(re.findall(r"--([\w]+):(#[0-9a-f]+)", block)) for block in re.findall(r":root\{(.*?)\}", style)]
    check(len(themes) == 3, "light, dark and print")
    for theme in themes:
        for text, ground in (("ink", "paper"), ("soft", "paper"), ("link", "paper"), ("ink", "card"), ("ink", "bar"), ("soft", "card"), ("ink", "band")):
            check(contrast(theme[text], theme[ground]) >= 4.5, f"{text} {theme[text]} on {ground} {theme[ground]}")
        for mark in ("c0", "c1", "c2", "c3", "a0", "a1", "a2", "a3", "a4", "a5", "an"):
            check(contrast(theme[mark], theme["paper"]) >= 3, f"{mark} {theme[mark]} on paper")


def main():
    check(faults(GOOD) == [], f"the good page is refused: {faults(GOOD)}")
    for old, new in PLANTED:
        check(faults(GOOD.replace(old, new, 1)) != [], f"not caught: {new}")
    check(crossings(ARROW % 10) != [] and crossings(ARROW % 40) == [], "arrows through nodes")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        for test in (test_models, test_curves, test_dumps, test_spectra, test_split, test_records, test_fluctuation_theorem, test_escapes, test_documents, test_layouts, test_failures, test_contrast):
            test()
        os.chdir(source)
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    print(f"{checks} checks, {len(failures)} failures")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
