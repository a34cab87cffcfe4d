#!/usr/bin/env python3
"""Steady states and cycle fluxes of random networks against exact rational arithmetic.

The networks and what the library makes of them come from cme_print; every rate is a double, so a rational, and everything
here is exact until the last comparison. Argument: the build folder.
"""
import subprocess
import sys
from fractions import Fraction as F

worst = {}
checks = 0


def near(what, got, exact, scale, tol):
    """|got - exact| <= tol * scale, all as rationals."""
    global checks
    checks += 1
    error = abs(F(got) - exact)
    if scale == 0:
        assert error == 0, (what, got, float(exact))
        return
    ratio = float(error / scale)
    worst[what] = max(worst.get(what, 0.0), ratio)
    assert ratio <= tol, f"{what}: {got!r} against {float(exact)!r}, off by {ratio:.3g}"


def solve(a, b):
    """x with a x = b, square and regular, and det a."""
    n = len(b)
    a = [row[:] + [b[i]] for i, row in enumerate(a)]
    det = F(1)
    for k in range(n):
        pivot = next(i for i in range(k, n) if a[i][k] != 0)
        if pivot != k:
            a[k], a[pivot] = a[pivot], a[k]
            det = -det
        det *= a[k][k]
        for i in range(k + 1, n):
            if a[i][k] != 0:
                f = a[i][k] / a[k][k]
                a[i] = [x - f * y for x, y in zip(a[i], a[k])]
    x = [F(0)] * n
    for i in reversed(range(n)):
        x[i] = (a[i][n] - sum(a[i][j] * x[j] for j in range(i + 1, n))) / a[i][i]
    return x, det


class Chain:
    def __init__(self, n, edges):
        self.n, self.edges = n, edges
        self.q = [[F(0)] * n for _ in range(n)]
        for i, j, _, rate in edges:
            if i != j:
                self.q[i][j] += rate
        reach = [[i == j or self.q[i][j] > 0 for j in range(n)] for i in range(n)]
        for k in range(n):
            for i in range(n):
                for j in range(n):
                    reach[i][j] = reach[i][j] or (reach[i][k] and reach[k][j])
        self.classes, seen = [], set()
        for i in range(n):
            if i in seen:
                continue
            around = [j for j in range(n) if reach[i][j] and reach[j][i]]
            seen.update(around)
            if all(reach[j][i] for j in range(n) if reach[i][j]):
                self.classes.append(around)
        self.transient = [i for i in range(n) if not any(i in c for c in self.classes)]
        self.minors = {}

    def minor(self, states, removed):
        """det(-Q of the class `states` without the set `removed`)."""
        key = (tuple(states), frozenset(removed))
        if key not in self.minors:
            left = [i for i in states if i not in removed]
            a = [[sum(self.q[i]) if i == j else -self.q[i][j] for j in left] for i in left]
            self.minors[key] = solve(a, [F(0)] * len(left))[1] if left else F(1)
        return self.minors[key]

    def shares(self, start):
        """Probabilities to end in each class from one state."""
        if start not in self.transient:
            return [F(start in c) for c in self.classes]
        t = self.transient
        a = [[sum(self.q[i]) if i == j else -self.q[i][j] for j in t] for i in t]
        out = []
        for c in self.classes:
            x, _ = solve(a, [sum((self.q[i][j] for j in c), F(0)) for i in t])
            out.append(x[t.index(start)])
        return out

    def within(self):
        """Steady distribution inside each closed class, by the matrix-tree theorem."""
        p = [F(0)] * self.n
        for c in self.classes:
            weights = [self.minor(c, {i}) for i in c]
            for i, w in zip(c, weights):
                p[i] = w / sum(weights)
        return p


def cycles_of(states, links):
    """All simple cycles of a multigraph as frozensets of links, by a search without any pruning."""
    found = set()
    around = {i: [] for i in states}
    for k, (a, b) in links.items():
        around[a].append((k, b))
        if a == b:
            found.add(frozenset([k]))
        else:
            around[b].append((k, a))

    def go(root, at, path, visited):
        for k, to in around[at]:
            if k in path:
                continue
            if to == root and len(path) >= 1:
                found.add(frozenset(path + [k]))
            elif to > root and to not in visited:
                go(root, to, path + [k], visited | {to})

    for root in states:
        go(root, root, [], {root})
    return found


def check_network(seed, steps, part, cycles, complete):
    states, edges, copies = part
    chain = Chain(len(states), edges)
    assert complete == 1
    start = [F(s[0]) for s in states]
    assert sum(start) == 1
    within = chain.within()
    p = [F(0)] * chain.n
    variance = [F(0)] * chain.n
    weight = [F(0)] * len(chain.classes)
    class_of = {i: k for k, c in enumerate(chain.classes) for i in c}
    for s, w in enumerate(start):
        if w == 0:
            continue
        share = chain.shares(s)
        for k, x in enumerate(share):
            weight[k] += w * x
        for i, k in class_of.items():
            law = share[k] * within[i]
            p[i] += w * law
            variance[i] += copies * w * law * (1 - law)
    for i in range(chain.n):
        near("p", states[i][1], p[i], p[i], 1e-13)
        near("mean", states[i][2], copies * p[i], copies * p[i], 1e-13)
        near("var", states[i][3], variance[i], variance[i], 1e-13 if copies > 1 else 1e-12)

    rate = {}
    for i, j, direction, k in edges:
        rate[direction] = rate.get(direction, 0) + copies * p[i] * k
    for s, (forward, backward, net, _) in enumerate(steps):
        up, down = rate.get(2 * s, F(0)), rate.get(2 * s + 1, F(0))
        near("one-way rate", forward, up, up, 1e-13)
        near("one-way rate", backward, down, down, 1e-13)
        near("net rate, relative to the one-way rates", net, up - down, up + down, 1e-13)

    # cycles: the set of them, then every flux
    at = {(d, i): k for i, j, d, k in edges}
    links = {}
    for i, j, d, k in edges:
        links[d // 2] = (i, j) if d % 2 == 0 else (j, i)
    expected = set()
    for c in chain.classes:
        inner = {s: ab for s, ab in links.items() if ab[0] in c and ab[1] in c}
        for cycle in cycles_of(c, inner):
            expected.add(cycle)
    listed = set()
    total = {k: sum(chain.minor(c, {i}) for i in c) for k, c in enumerate(chain.classes)}
    net_of_step = {}
    for forward, backward, net, affinity, turns in cycles:
        key = frozenset(d // 2 for d, _ in turns)
        assert key not in listed and len(key) == len(turns)
        listed.add(key)
        assert turns[0][0] == 2 * min(key), "the lowest step first, forward"
        k = class_of[turns[0][1]]
        minor = chain.minor(chain.classes[k], {s for _, s in turns})
        scale = copies * weight[k] * minor / total[k]
        up, down = scale, scale
        for n, (d, s) in enumerate(turns):
            a, b = links[d // 2]
            here, there = (a, b) if d % 2 == 0 else (b, a)
            assert here == s and there == turns[(n + 1) % len(turns)][1], "the turns hang together"
            up *= at.get((d, here), F(0))
            down *= at.get((d ^ 1, there), F(0))
        assert up + down > 0
        near("cycle flux", forward, up, up, 1e-12)
        near("cycle flux", backward, down, down, 1e-12)
        near("net cycle flux", net, up - down, abs(up - down) + F(1, 10**18) * (up + down), 1e-12)
        assert (affinity > 0) == (up > down) or up == down
        for d, _ in turns:
            net_of_step[d // 2] = net_of_step.get(d // 2, F(0)) + (F(net) if d % 2 == 0 else -F(net))
    missing = expected - listed
    for key in missing:  # only those that cannot be run either way
        turned = walk(key, links)
        ways = [all((d, s) in at for d, s in turned), all((d ^ 1, t) in at for (d, _), (_, t) in
                                                         zip(turned, turned[1:] + turned[:1]))]
        assert not any(ways), f"network {seed}: cycle {sorted(key)} is not listed"
    assert listed <= expected
    for s in range(len(steps)):
        up, down = rate.get(2 * s, F(0)), rate.get(2 * s + 1, F(0))
        near("cycles sum to the net rate", float(net_of_step.get(s, F(0))), up - down, up + down, 1e-12)


def walk(key, links):
    """One orientation of a cycle as (direction, state left)."""
    left = set(key)
    first = min(left)
    start, at = links[first]
    left.remove(first)
    out = [(2 * first, start)]
    while left:
        step = next(k for k in left if at in links[k])
        left.remove(step)
        a, b = links[step]
        out.append((2 * step, a) if a == at else (2 * step + 1, b))
        at = b if a == at else a
    return out


def main():
    count = 300
    text = subprocess.run([f"{sys.argv[1]}/tests/cme_print", "0", str(count)], check=True, capture_output=True, text=True).stdout
    networks = cycles = 0
    seed, steps, states, edges, copies, found = 0, [], [], [], 1, []
    for line in text.splitlines():
        kind, *words = line.split()
        if kind == "network":
            seed, steps, states, edges, found = int(words[0]), [], [], [], []
        elif kind == "step":
            steps.append([float.fromhex(w) for w in words])
        elif kind == "part":
            assert not states, "one part"
            copies = int(words[2])
        elif kind == "state":
            states.append([float.fromhex(w) for w in words])
        elif kind == "edge":
            edges.append((int(words[0]), int(words[1]), int(words[2]), F(float.fromhex(words[3]))))
        elif kind == "cycle":
            numbers = [float.fromhex(w) for w in words[1:5]]
            found.append((*numbers, [tuple(map(int, w.split(":"))) for w in words[5:]]))
        elif kind == "end":
            check_network(seed, steps, (states, edges, copies), found, int(words[0]))
            networks += 1
            cycles += len(found)
    assert networks == count + 1
    print(f"{networks} networks, {cycles} cycles, {checks} comparisons; largest relative errors:")
    for what, error in sorted(worst.items()):
        print(f"  {what}: {error:.2g}")


main()
