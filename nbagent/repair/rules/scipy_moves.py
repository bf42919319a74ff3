"""Moved and renamed names of scipy."""

from __future__ import annotations

from nbagent.repair.imports import MovedNames
from nbagent.repair.moved import Moves
from nbagent.repair.rule import Example

NAMES = {
    "scipy.integrate.simps": "scipy.integrate.simpson",
    "scipy.integrate.trapz": "scipy.integrate.trapezoid",
    "scipy.integrate.cumtrapz": "scipy.integrate.cumulative_trapezoid",
    "scipy.misc.comb": "scipy.special.comb",
    "scipy.misc.factorial": "scipy.special.factorial",
    "scipy.misc.factorial2": "scipy.special.factorial2",
    "scipy.misc.logsumexp": "scipy.special.logsumexp",
    "scipy.maxentropy.logsumexp": "scipy.special.logsumexp",
    "scipy.misc.face": "scipy.datasets.face",
    "scipy.misc.ascent": "scipy.datasets.ascent",
    "scipy.misc.electrocardiogram": "scipy.datasets.electrocardiogram",
    "scipy.linalg.pinv2": "scipy.linalg.pinv",
    "scipy.stats.nanmean": "numpy.nanmean",
    "scipy.stats.nanmedian": "numpy.nanmedian",
    "scipy.stats.chisqprob": "scipy.stats:chi2.sf",
    "scipy.stats.median_absolute_deviation": "scipy.stats.median_abs_deviation",
    "scipy.stats.betai": "scipy.special.betainc",
    "scipy.stats.fprob": "scipy.stats:f.sf",
    "scipy.stats.zprob": "scipy.stats:norm.cdf",
    "scipy.randn": "numpy.random.randn",
    "scipy.rand": "numpy.random.rand",
    "scipy.ifft": "numpy.fft.ifft",
    "scipy.fft2": "numpy.fft.fft2",
    **{
        f"scipy.{name}": f"numpy.emath.{name}"
        for name in ("sqrt", "log", "log2", "log10", "logn", "power", "arccos", "arcsin", "arctanh")
    },
}
"""https://docs.scipy.org/doc/scipy/release.html: 1.0 misc, 1.6 integrate, 1.10 datasets, 1.14 simps; scipy.log and its
kin were those of numpy.lib.scimath."""
MODULES = {
    "scipy": "numpy",
    "scipy.signal": "scipy.signal.windows",
    "scipy.misc": "scipy.special",
    "scipy.misc.common": "scipy.special",
}


class MovedScipyName(MovedNames):
    """Reaches names of scipy where they are now: `integrate.simps`, `misc.comb`, `signal.gaussian`, `scipy.array`."""

    code = "SCI001"
    name = "moved-scipy-name"
    source = "https://docs.scipy.org/doc/scipy/release.html"
    roots = ("scipy",)
    moves = Moves(MODULES, NAMES)
    examples = (
        Example(
            before="from scipy.integrate import simps, quad\narea = simps([1, 2, 3])",
            after="from scipy.integrate import simpson, quad\narea = simpson([1, 2, 3])",
            ename="ImportError",
            evalue="cannot import name 'simps' from 'scipy.integrate' (scipy/integrate/__init__.py)",
            needs=("scipy",),
        ),
        Example(
            setup="import scipy as sp",
            before="sp.mean([1, 2])",
            after="import numpy as np\nnp.mean([1, 2])",
            ename="AttributeError",
            evalue="Module 'scipy' has no attribute 'mean'",
            needs=("scipy",),
        ),
        Example(
            setup="from scipy import signal",
            before="window = signal.hann(5)",
            after="from scipy.signal import windows\nwindow = windows.hann(5)",
            ename="AttributeError",
            evalue="module 'scipy.signal' has no attribute 'hann'",
            needs=("scipy",),
        ),
    )
