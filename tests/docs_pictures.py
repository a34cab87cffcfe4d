"""The pictures of docs/questions/pump-with-no-fuel.md, drawn from what ness prints for the commands on that page. Each must be
what stands in the folder. BLESS=1 writes them."""

import csv
import io
import math
import os
import pathlib
import subprocess
import sys

build, source = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve()
folder = source / "docs" / "questions"
MODEL = "networks/models/flicker-carrier.ness"
INK, PALE, ACCENT = "#24292f", "#d0d7de", "#0969da"


def table(*arguments):
    done = subprocess.run([build / "ness", "scan", MODEL, *arguments, "--csv", "-", "-q"], cwd=source, capture_output=True, text=True, check=True)
    rows = [row for row in csv.reader(io.StringIO(done.stdout)) if row and not row[0].startswith("#")]
    return [[float(x) for x in row] for row in rows if row[0][:1] in "0123456789-"]


def svg(width, height, title, body):
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" role="img" '
            f'font-family="sans-serif" font-size="12" fill="{INK}"><title>{title}</title>'
            f'<rect width="{width}" height="{height}" fill="#ffffff"/>{body}</svg>\n')


def text(x, y, words, anchor="middle", extra=""):
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{extra}>{words}</text>'


def window():
    rows = table("gamma=1e-3:1e5:*1.2589254117941673", "--column", "J")
    left, top, width, height = 60, 20, 480, 220
    most = 0.010
    place = lambda g, j: (left + width * (math.log10(g) + 3) / 8, top + height * (1 - j / most))
    body = "".join(f'<path d="M{left} {place(1, j)[1]:.1f}h{width}" stroke="{PALE}"/>' + text(left - 6, place(1, j)[1] + 4, f"{j:g}", "end")
                   for j in (0, 0.0025, 0.005, 0.0075, 0.01))
    body += "".join(text(place(10.0**k, 0)[0], top + height + 18, f"10<tspan dy=\"-5\" font-size=\"9\">{k}</tspan>") for k in range(-3, 6, 2))
    points = " ".join("{:.1f},{:.1f}".format(*place(g, j)) for g, j in rows)
    body += f'<polyline points="{points}" fill="none" stroke="{ACCENT}" stroke-width="2"/>'
    body += text(left + width / 2, top + height + 38, "rate of the flips, gamma") + text(left + 4, top + 12, "uptake J, copies a unit of time", "start")
    return svg(560, 290, "Uptake against the rate of the flips: a window between 0.01 and 10,000 with its top near 3.8", body)


def efficiency():
    column = "J*ln(ci/co)/work(V)"
    rows = table("ci=1.01:1.29:0.01", "gamma=0.01:1e4:*1.5848931924611136", "--column", column)
    across, up = sorted({row[1] for row in rows}), sorted({row[0] for row in rows})
    most = max(row[2] for row in rows)
    left, top, w, h = 60, 20, 16, 8
    body = ""
    for ci, gamma, value in rows:
        x, y = left + w * across.index(gamma), top + h * (len(up) - 1 - up.index(ci))
        share = max(value, 0) / most
        colour = f"hsl(212, 90%, {100 - 60 * share:.0f}%)" if value > 0 else "#eeeeee"
        body += f'<rect x="{x}" y="{y}" width="{w + 0.3}" height="{h + 0.3}" fill="{colour}"/>'
    bottom = top + h * len(up)
    for k in (-2, 0, 2, 4):
        x = left + w * (k + 2) / math.log10(1.5848931924611136) + w / 2
        body += text(x, bottom + 18, f"10<tspan dy=\"-5\" font-size=\"9\">{k}</tspan>")
    for ci in (1.05, 1.1, 1.15, 1.2, 1.25):
        body += text(left - 6, bottom - h * (ci - 1.01) / 0.01, f"{ci:g}", "end")
    middle = left + w * len(across) / 2
    body += text(middle, bottom + 38, "rate of the flips, gamma")
    body += text(16, top + h * len(up) / 2, "inside over outside", "middle", f' transform="rotate(-90 16 {top + h * len(up) / 2:.0f})"')
    body += text(middle, bottom + 58, f"efficiency, white 0 to blue {most:.2g}; grey: beyond the stall")
    return svg(left + w * len(across) + 30, bottom + 74, "Efficiency against the rate of the flips and the gradient, with the stall as its edge", body)


wrong = []
for name, made in (("pump-window.svg", window()), ("pump-efficiency.svg", efficiency())):
    path = folder / name
    if os.environ.get("BLESS"):
        path.write_text(made)
    elif not path.exists() or path.read_text() != made:
        wrong.append(name)
print(f"2 pictures, {len(wrong)} differ {' '.join(wrong)}")
sys.exit(bool(wrong))
