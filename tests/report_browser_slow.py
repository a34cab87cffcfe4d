"""The pages of `ness report` in a real browser: headless Chromium shows them in light and dark and prints them; nothing is
blank, nothing overflows at 360 and at 1200 pixels, no drawing has text outside of itself or over other text, no script of a
name runs, and the console stays empty.

usage: report_browser_slow.py BUILD SOURCE. Exit 77 where there is no Chromium (Debian's package chromium)."""

import json
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import zlib

build, source = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
program, models = build / "ness", source / "networks/models"
failures, checks = [], 0

# Debian's wrapper reads its settings in a shell and passes the rest on; the program itself is enough here.
browser = next((b for b in ("/usr/lib/chromium/chromium", shutil.which("chromium"), shutil.which("chromium-browser"), shutil.which("google-chrome"))
                if b and pathlib.Path(b).exists()), None)

# Runs in a page that holds the report in a frame of a given width, and leaves what it measured in the title.
MEASURE = """<!DOCTYPE html><meta charset="utf-8"><title>none</title><body style="margin:0"><script>
const page = PAGE, widths = [360, 1200], out = [];
const overlaps = (a, b) => a.left < b.right - 2 && b.left < a.right - 2 && a.top < b.bottom - 2 && b.top < a.bottom - 2;
function measure(width) {
  return new Promise(done => {
    const frame = document.createElement('iframe');
    frame.style = 'border:0;width:' + width + 'px;height:900px';
    frame.onload = () => {
      const view = frame.contentWindow, doc = frame.contentDocument, found = {width, hit: view.hit || 0};
      found.overflow = doc.documentElement.scrollWidth - width;
      found.wide = [...doc.querySelectorAll('body *')].filter(e => !e.closest('.wide,pre,svg,.skip') && e.getBoundingClientRect().right > width + 1)
        .map(e => e.tagName + ' ' + e.className).slice(0, 3);
      found.outside = []; found.over = [];
      for (const svg of doc.querySelectorAll('svg[role=img]')) {
        const box = svg.getBoundingClientRect(), texts = [...svg.querySelectorAll('text')];
        const boxes = texts.map(t => t.getBoundingClientRect());
        boxes.forEach((b, i) => { if (b.left < box.left - 1 || b.right > box.right + 1 || b.top < box.top - 1 || b.bottom > box.bottom + 1) found.outside.push(texts[i].textContent); });
        for (let i = 0; i < boxes.length; i++) for (let j = 0; j < i; j++) if (overlaps(boxes[i], boxes[j])) found.over.push(texts[j].textContent + ' / ' + texts[i].textContent);
        const small = texts.filter(t => parseFloat(view.getComputedStyle(t).fontSize) * box.width / svg.viewBox.baseVal.width < 8.5);
        if (small.length) found.outside.push('too small: ' + small[0].textContent);
      }
      found.height = doc.documentElement.scrollHeight;
      out.push(found); frame.remove(); done();
    };
    frame.srcdoc = page;
    document.body.append(frame);
  });
}
widths.reduce((before, width) => before.then(() => measure(width)), Promise.resolve()).then(() => { document.title = 'R' + JSON.stringify(out) + 'R'; });
</script>"""


def check(holds, what):
    global checks
    checks += 1
    if not holds:
        failures.append(what)


def chromium(folder, *arguments):
    return subprocess.run([browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars", "--no-first-run",
                           "--enable-logging=stderr", f"--user-data-dir={folder}/profile", *arguments], capture_output=True, text=True, timeout=120)


def pixels(png):
    """Width, height and rows of bytes of a PNG of 8 bits a channel."""
    data = pathlib.Path(png).read_bytes()
    at, packed, head = 8, b"", None
    while at < len(data):
        size, kind = int.from_bytes(data[at:at + 4], "big"), data[at + 4:at + 8]
        body = data[at + 8:at + 8 + size]
        head = body if kind == b"IHDR" else head
        packed += body if kind == b"IDAT" else b""
        at += size + 12
    width, height = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:8], "big")
    channels = {2: 3, 6: 4}[head[9]]
    raw, stride, rows, before = zlib.decompress(packed), width * channels, [], bytes(width * channels)
    for y in range(height):
        kind, line = raw[y * (stride + 1)], bytearray(raw[y * (stride + 1) + 1:(y + 1) * (stride + 1)])
        for i in range(stride):
            left, up, corner = line[i - channels] if i >= channels else 0, before[i], before[i - channels] if i >= channels else 0
            if kind == 1:
                line[i] = (line[i] + left) & 255
            elif kind == 2:
                line[i] = (line[i] + up) & 255
            elif kind == 3:
                line[i] = (line[i] + (left + up) // 2) & 255
            elif kind == 4:
                p = left + up - corner
                near = min((abs(p - left), 0, left), (abs(p - up), 1, up), (abs(p - corner), 2, corner))
                line[i] = (line[i] + near[2]) & 255
        rows.append(bytes(line))
        before = rows[-1]
    return width, height, channels, rows


def colours(png):
    """The ground (a corner) and the share of pixels that are not of it."""
    width, _, channels, rows = pixels(png)
    ground = rows[0][:3]
    other = total = 0
    kinds = set()
    for row in rows[::3]:
        for x in range(0, width * channels, 3 * channels):
            colour = row[x:x + 3]
            kinds.add(colour)
            other += colour != ground
            total += 1
    return ground, other / total, len(kinds)


def console(done):
    return [line for line in done.stderr.splitlines() if "CONSOLE" in line]


def measure(folder, text):
    page = folder / "measure.html"
    page.write_text(MEASURE.replace("PAGE", json.dumps(text).replace("</", "<\\/")), encoding="utf-8")
    done = chromium(folder, "--virtual-time-budget=20000", "--dump-dom", f"file://{page}")
    found = re.search(r"<title>R(.*?)R</title>", done.stdout, re.S)
    return (json.loads(found.group(1)) if found else []), done


def faults(folder, text):
    """What a browser finds wrong with a page."""
    found, done = measure(folder, text)
    wrong = [] if len(found) == 2 else [f"not measured: {done.stderr[-300:]}"]
    wrong += [f"the console says {line}" for line in console(done)]
    for view in found:
        for key in ("wide", "outside", "over"):
            if view[key]:
                wrong.append(f"at {view['width']}: {key} {view[key][:4]}")
        if view["overflow"] > 0 or view["hit"] or view["height"] < 1000:
            wrong.append(f"at {view['width']}: overflow {view['overflow']}, hit {view['hit']}, height {view['height']}")
    return wrong


def look(folder, name, path, *settings, theme=True):
    page = folder / f"{name}.html"
    done = subprocess.run([program, "report", path, "-o", page, "--force", *settings], capture_output=True, text=True, timeout=120)
    check(done.returncode == 0, f"{name}: {done.stderr}")
    text = page.read_text(encoding="utf-8")
    wrong = faults(folder, text)
    check(not wrong, f"{name}: {wrong}")
    if not theme:
        return text
    for dark in (False, True):
        png = folder / f"{name}.png"
        png.unlink(missing_ok=True)
        done = chromium(folder, "--window-size=900,1400", f"--screenshot={png}", f"--blink-settings=preferredColorScheme={0 if dark else 1}", f"file://{page}")
        check(png.exists() and not console(done), f"{name}: no screenshot, or {console(done)}")
        ground, other, kinds = colours(png)
        check((sum(ground) < 150) == dark, f"{name}: the ground is {tuple(ground)} in {'dark' if dark else 'light'}")
        check(0.02 < other < 0.6 and kinds > 40, f"{name}: {100 * other:.1f} % of the pixels are drawn, {kinds} colours")
    pdf = folder / f"{name}.pdf"
    done = chromium(folder, "--no-pdf-header-footer", f"--print-to-pdf={pdf}", f"file://{page}")
    data = pdf.read_bytes() if pdf.exists() else b""
    pages = data.count(b"/Type /Page\n") + data.count(b"/Type /Page ") + data.count(b"/Type/Page/")
    check(data.startswith(b"%PDF") and len(data) > 20000 and pages >= 2, f"{name}: a print of {len(data)} bytes and {pages} pages")
    return text


def main():
    if not browser:
        print("no Chromium here: apt-get install chromium", file=sys.stderr)
        return 77
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        text = look(folder, "sglt", models / "sglt.ness")
        for planted in ("<div style='width:2000px'>x</div>", "<script>nothing.at.all()</script>", "<script>window.hit=1</script>",
                        "<svg role='img' viewBox='0 0 9 9' width='9'><text x='50' y='50'>far away</text></svg>"):
            check(faults(folder, text.replace("</main>", planted + "</main>")), f"not caught: {planted}")
        for model in ("fuel-cycle", "antiporter", "emre-cycles", "kinesin", "schlogl", "sedimentation", "cell-fate", "solar-cell", "kanban"):
            look(folder, model, models / f"{model}.ness", theme=model in ("emre-cycles", "sedimentation"))
            look(folder, model + "-own", models / f"{model}.ness", "--layout", "own", theme=False)
        hostile = folder / "x<img src=x onerror=window.hit=1>.ness"
        hostile.write_text("# <script>window.hit=1</script>\n" + (models / "fuel-cycle.ness").read_text())
        look(folder, "hostile", hostile, theme=False)
        for which in ("unknown", "wild", "many"):
            page = subprocess.run([build / "tests/report_print", which], capture_output=True, text=True).stdout
            wrong = [w for w in faults(folder, page) if which == "unknown" or "over" not in w]
            check(not wrong, f"{which}: {wrong}")
        for words in (("scan", models / "four-state-carrier.ness", "V=-2:2:0.25", "ci=0.5:2:0.1"), ("iv", models / "voltage-clamp.ness", "V=-120:40:5[mV]"),
                      ("solve", models / "action-potential.ness", "ode", "--time", "20ms"), ("stall", models / "sglt.ness", "--of", "JS", "V=-150:100[mV]")):
            page = folder / "answer.html"
            subprocess.run([program, *words, "--html", page, "--force", "-q"], check=True, capture_output=True)
            wrong = faults(folder, page.read_text(encoding="utf-8"))
            check(not wrong, f"{words[0]}: {wrong}")
        dump = folder / "d.msgpack"
        subprocess.run([program, "run", models / "fuel-cycle.ness", "A=5", "-o", dump, "--time", "200", "--warmup", "20", "--window", "0.25", "--seed", "2",
                        "-q"], check=True, capture_output=True)
        look(folder, "dump", dump)
        subprocess.run([program, "run", models / "emre-cycles.ness", "-o", dump, "--force", "--time", "200", "--warmup", "10", "--level", "events", "--seed",
                        "3", "-q"], check=True, capture_output=True)
        look(folder, "events", dump, theme=False)
    for failure in failures:
        print(f"FAILED: {failure}", file=sys.stderr)
    print(f"{checks} checks, {len(failures)} failures")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
