"""scipy. Variants `first` and `last`: spsolve (SuperLU) of the balance equations with that state pinned at 1; `power`:
power iteration of the uniformised chain for a minute. The reading of the matrix does not count."""
import numpy
import scipy
import scipy.sparse
import scipy.sparse.linalg
from adapter import seconds
from solving import VARIANT, judge, peak_mb, rates, tell

n, i, j, k = rates()
inflow = scipy.sparse.csc_matrix((k, (j, i)), shape=(n, n))
balance = (inflow - scipy.sparse.diags(numpy.bincount(i, k, minlength=n))).tocsc()


def pinned():
    pin = 0 if VARIANT == "first" else n - 1
    keep = numpy.delete(numpy.arange(n), pin)
    p = numpy.ones(n)
    p[keep] = scipy.sparse.linalg.spsolve(balance[keep][:, keep].tocsc(), -balance[keep][:, pin].toarray().ravel())
    return p / p.sum(), ""


def power():
    step = (balance / (1.01 * -balance.diagonal().min())).tocsr()
    p, rounds, took = numpy.full(n, 1 / n), 0, 0
    change = 1
    while took < 60 and change > 1e-14:
        one, delta = seconds(lambda: step @ p)
        p = p + delta
        rounds, took, change = rounds + 1, took + one, numpy.abs(delta).sum()
    return p / p.sum(), f"; {rounds} rounds, last change {change:.0e}"


took, (p, more) = seconds(power if VARIANT == "power" else pinned)
tell(scipy.__version__, took, peak_mb(), judge(p) + more)
