#!/usr/bin/env python3
"""Rates in and out held against numpy and scipy: what they save we read, what we write scipy's mmread and fifteen lines
for PETSc's format read, all of it bit for bit.

usage: import_numpy.py BUILD SOURCE"""
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

try:
    import numpy as np
    import scipy.io
    import scipy.sparse
except ImportError:
    sys.exit(77)

program = Path(sys.argv[1]).resolve() / "tests/import_print"
failures = []


def check(good, what):
    if not good:
        failures.append(what)


def run(*words):
    return subprocess.run([program, *map(str, words)], capture_output=True, text=True)


def read(path):
    """(names, dense matrix with 0 on the diagonal) of what our reader makes of a file."""
    done = run("read", path)
    if done.returncode:
        return None, done.stderr
    lines = done.stdout.split("\n")[:-1]
    n = int(lines[0])
    matrix = np.zeros((n, n))
    for line in lines[n + 1:]:
        i, j, value = line.split()
        matrix[int(i), int(j)] += float.fromhex(value)
    return lines[1:n + 1], matrix


def read_petsc(path):
    data = Path(path).read_bytes()
    classid, rows, columns, count = struct.unpack(">4i", data[:16])
    lengths = np.frombuffer(data, ">i4", rows, 16)
    indices = np.frombuffer(data, ">i4", count, 16 + 4 * rows)
    values = np.frombuffer(data, ">f8", count, 16 + 4 * rows + 4 * count)
    check(classid == 1211216, "PETSc class id")
    check(len(data) == 16 + 4 * rows + 12 * count and lengths.sum() == count, "PETSc lengths")
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    for i in range(rows):
        check(all(np.diff(indices[indptr[i]:indptr[i + 1]]) > 0), "PETSc columns ascend")
    return scipy.sparse.csr_matrix((values.astype(float), indices, indptr), (rows, columns)).toarray()


def numpy_saves(rng, folder):
    for trial in range(60):
        n = int(rng.integers(2, 30))
        matrix = np.exp(rng.normal(0, 20, (n, n))) * (rng.random((n, n)) < 0.4)
        matrix[0, 1] = 1.5
        np.fill_diagonal(matrix, 0)
        diagonal = trial % 3
        saved = matrix.astype(["<f8", "<f4"][trial % 2])
        matrix = saved.astype(float)  # single precision is what the file then holds
        if diagonal:
            np.fill_diagonal(saved, -saved.sum(axis=1))
        if trial % 4 > 1:
            saved = np.asfortranarray(saved)
        path = folder / "m.npy"
        with open(path, "wb") as out:
            np.lib.format.write_array(out, saved, version=[(1, 0), (2, 0), (3, 0)][trial % 3])
        check(np.array_equal(read(path)[1], matrix), f"npy {trial}: {saved.dtype} {saved.flags.f_contiguous}")
        text = folder / "m.csv"
        np.savetxt(text, matrix, fmt="%.17g", delimiter=[",", ";", " ", "\t"][trial % 4])
        check(np.array_equal(read(text)[1], matrix), f"csv {trial}")
        market = folder / "m.mtx"
        form = [scipy.sparse.coo_matrix, scipy.sparse.csr_matrix, scipy.sparse.csc_matrix][trial % 3]
        scipy.io.mmwrite(market, form(matrix - np.diag(matrix.sum(axis=1))), precision=17)
        check(np.array_equal(read(market)[1], matrix), f"mtx {trial}")
    for bad, word in ((np.ones((2, 3)), "square"), (np.ones(4), "dimensions"), (np.ones((2, 2), ">f8"), "'>f8'"),
                      (np.ones((2, 2), int), "'<i8'"), (np.ones((2, 2), bool), "'|b1'"),
                      (np.array([[0, -1.0], [1, 0]]), "not negative"), (np.array([[0, np.nan], [1, 0]]), "finite")):
        np.save(path, bad)
        names, message = read(path)
        check(names is None and word in message, f"{word}: {message}")


def our_files(folder):
    for seed in range(40):
        place = folder / str(seed)
        place.mkdir()
        done = run("write", place, seed)
        check(done.returncode == 0, f"write {seed}")
        petsc = read_petsc(place / "chain.petsc")
        rates = np.zeros(petsc.shape)
        for line in done.stdout.split("\n")[:-1]:
            i, j, value = line.split()
            rates[int(i), int(j)] += float.fromhex(value) if i != j else 0
        generator = scipy.io.mmread(place / "chain.mtx").toarray()
        off = ~np.eye(len(rates), dtype=bool)
        check(np.array_equal(generator[off], rates[off]), f"mmread {seed}")
        check(np.allclose(np.diag(generator), -rates.sum(axis=1), rtol=1e-15, atol=0), f"diagonal {seed}")
        check(np.array_equal(generator, petsc), f"PETSc {seed}")
        for name in ("chain.tra", "chain.mtx"):
            names, again = read(place / name)
            check(rates.any() == (names is not None), f"{name} {seed}")
            check(names is None or np.array_equal(again, rates), f"{name} {seed}")
        names, _ = read(place / "chain.tra")
        check(names is None or names[3:4] in ([], ["(0,3)"]), f".sta {seed}: {names}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        numpy_saves(np.random.default_rng(1), Path(folder))
        our_files(Path(folder))
    for failure in failures[:20]:
        print(failure, file=sys.stderr)
    print(f"{len(failures)} failures")
    return bool(failures)


if __name__ == "__main__":
    sys.exit(main())
