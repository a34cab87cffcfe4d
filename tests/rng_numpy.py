#!/usr/bin/python3
"""Holds engine/rng to numpy itself, bit for bit: rng_numpy.py PATH_OF_RNG_PRINT. Exit 77 (skip) without numpy."""
import subprocess
import sys

try:
    from numpy.random import PCG64DXSM, Generator, SeedSequence
except ImportError:
    print("skipped: no numpy with PCG64DXSM")
    sys.exit(77)

CASES = [
    (0, 0, 0), (1, 0, 0), (42, 0, 1), (42, 1, 0), (42, 2**16, 3), (0xDEADBEAF, 7, 11), (2**32 - 1, 1, 1), (2**32, 1, 1),
    (2**63 + 12345, 2**31, 2), (2**64 - 1, 2**32 - 1, 2**32 - 1), (20240229, 999999, 4), (0x0123456789ABCDEF, 12, 34),
]  # fmt: skip
DELTAS = [1, 17, 2**32, 2**64, 2**100 + 12345, 2**128 - 1]


def ours(*args):
    return subprocess.run([sys.argv[1], *map(str, args)], check=True, capture_output=True, text=True).stdout.split()


def numpys(seed, replica, purpose):
    return PCG64DXSM(SeedSequence(seed, spawn_key=(replica, purpose)))


def main():
    checks = failures = 0

    def check(what, a, b):
        nonlocal checks, failures
        checks += 1
        if a != b:
            failures += 1
            where = next((i for i, pair in enumerate(zip(a, b)) if pair[0] != pair[1]), min(len(a), len(b)))
            print(f"{what}: differs from numpy at value {where}", file=sys.stderr)

    for case in CASES:
        check(f"{case} u64", list(map(int, ours(*case, 1000))), numpys(*case).random_raw(1000).tolist())
        check(f"{case} double", list(map(float.fromhex, ours(*case, 200, "double"))),
              Generator(numpys(*case)).random(200).tolist())  # fmt: skip
        for delta in DELTAS:
            bits = numpys(*case)
            bits.advance(delta)
            state = bits.state["state"]
            words = [w for x in (state["state"], state["inc"]) for w in (x >> 64, x % 2**64)]
            check(f"{case} + {delta}", list(map(int, ours(*case, 0, "state", delta >> 64, delta % 2**64))), words)

    # Planted: the neighbouring stream must not pass for this one.
    if list(map(int, ours(42, 0, 1, 4))) == numpys(42, 1, 0).random_raw(4).tolist():
        print("a swapped spawn key went unnoticed", file=sys.stderr)
        failures += 1
    print(f"{checks} checks, {failures} failed")
    return failures != 0


sys.exit(main())
