#!/usr/bin/env python3
"""Draws what a steady state costs against the number of states, from a file of bench/history that holds the two tables of
bench_solve and of whole runs. usage: plot_cost.py HISTORY OUT.svg. Filled: multilevel aggregation; hollow: elimination.
The lines are least squares through the points of one model and method, where there are three of at least 0.03 s."""
import math
import re
import sys

colours = {"lattice": "#2166ac", "kanban": "#b2182b", "fms": "#1b7837"}
points = {(kind, method): [] for kind in colours for method in ("GTH", "multilevel")}
for line in open(sys.argv[1]):
    kind = re.match(r"(lattice|kanban|fms)\b", line)
    bench = re.search(r" (\d{4,}) +\d+ +[\d.]+ +([\d.]+) +\d+ +[\d.]+e-", line)  # states, rates, list s, solve s, B/state
    whole = re.search(r" (\d{4,}) +(\d+\.\d) +\d+\.\d +\d+ +[\d.]+e-", line)  # states, wall s, user s, peak MB
    found = bench or whole
    if kind and found and float(found.group(2)) >= 0.03:
        points[kind.group(1), "GTH" if "GTH" in line else "multilevel"].append((int(found.group(1)), float(found.group(2))))

left, bottom, width, height = 60, 300, 480, 260
low, high, short, long = 3.0, 7.0, -1.6, 2.4


def place(states, seconds):
    x = left + width * (math.log10(states) - low) / (high - low)
    y = bottom - height * (math.log10(seconds) - short) / (long - short)
    return x, y


out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 640 350" font-family="sans-serif" font-size="12" role="img">',
       "<title>Seconds of a certified steady state against the number of states</title>",
       '<rect width="640" height="350" fill="white"/>']
for power in range(3, 8):
    x, _ = place(10**power, 1)
    out.append(f'<line x1="{x:.1f}" y1="{bottom - height}" x2="{x:.1f}" y2="{bottom}" stroke="#ddd"/>'
               f'<text x="{x:.1f}" y="{bottom + 18}" text-anchor="middle">1e{power}</text>')
for power in range(-1, 3):
    _, y = place(1000, 10**power)
    out.append(f'<line x1="{left}" y1="{y:.1f}" x2="{left + width}" y2="{y:.1f}" stroke="#ddd"/>'
               f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{10**power:g} s</text>')
out.append(f'<text x="{left + width / 2}" y="{bottom + 38}" text-anchor="middle">states</text>')
row = 0
for (kind, method), found in points.items():
    for n, s in found:
        x, y = place(n, s)
        fill = "white" if method == "GTH" else colours[kind]
        out.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{fill}" stroke="{colours[kind]}"/>')
    if len(found) < 3:
        continue
    logs = [(math.log10(n), math.log10(s)) for n, s in found]
    mx, my = (sum(v) / len(logs) for v in zip(*logs))
    slope = sum((x - mx) * (y - my) for x, y in logs) / sum((x - mx) ** 2 for x, _ in logs)
    ends = [place(10**x, 10 ** (my + slope * (x - mx))) for x in (min(logs)[0], max(logs)[0])]
    out.append(f'<line x1="{ends[0][0]:.1f}" y1="{ends[0][1]:.1f}" x2="{ends[1][0]:.1f}" y2="{ends[1][1]:.1f}" '
               f'stroke="{colours[kind]}" stroke-dasharray="4 3"/>')
    out.append(f'<text x="{left + 12}" y="{bottom - height + 18 + 16 * row}" fill="{colours[kind]}">'
               f"{kind}, {method}: seconds ~ states^{slope:.2f}</text>")
    row += 1
out.append("</svg>")
open(sys.argv[2], "w").write("\n".join(out) + "\n")
