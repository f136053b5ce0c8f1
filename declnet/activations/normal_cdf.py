"""The distribution function of the standard normal, and with it the error function that NumPy lacks.

Phi(x) = (1 + erf(x / sqrt(2))) / 2. For x <= 0 it is exp(-x²/2) * P(|x|) / Q(|x|), P and Q polynomials of degree
6 and 7; for the others 1 minus that. Source: J. F. Hart et al., "Computer Approximations", Wiley 1968, algorithm
5666, as printed in G. West, "Better approximations to cumulative normal functions", Wilmott Magazine, May 2005.

Absolute error, against the C library's erfc at 800,000 points of [-40, 40]: at most 2.3e-16 in float64 (whose
epsilon is 2.2e-16) and 1.4e-7 in float32 (1.2e-7). tests/components/test_normal_cdf.py holds it to that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from declnet.core.component import Action
from declnet.core.numerics import shared
from declnet.core.spec import Array

P = (
    3.52624965998911e-02,
    0.700383064443688,
    6.37396220353165,
    33.912866078383,
    112.079291497871,
    221.213596169931,
    220.206867912376,
)
Q = (
    8.83883476483184e-02,
    1.75566716318264,
    16.064177579207,
    86.7807322029461,
    296.564248779674,
    637.333633378831,
    793.826512519948,
    440.413735824752,
)
"""Coefficients, the highest power first."""

FAR = 39.0
"""exp(-FAR²/2) is 0 in float64, and neither polynomial overflows in float32."""


def normal_cdf(x: Array, cdf: Array, density: Array, work: Array) -> Action:
    """Bind cdf = Phi(x), and density = exp(-x²/2) on the way; all of one shape, none of them another's memory."""
    far, half, minus_half = shared(x.dtype, FAR, 0.5, -0.5)
    distance = density
    p, q = shared(x.dtype, *P), shared(x.dtype, *Q)

    def run() -> None:
        np.abs(x, out=distance)
        np.minimum(distance, far, out=distance)
        _polynomial(p, distance, cdf)
        _polynomial(q, distance, work)
        np.divide(cdf, work, out=cdf)
        np.multiply(distance, distance, out=density)
        np.multiply(density, minus_half, out=density)
        np.exp(density, out=density)
        np.multiply(cdf, density, out=cdf)
        np.subtract(half, cdf, out=cdf)
        np.copysign(cdf, x, out=cdf)
        np.add(cdf, half, out=cdf)

    return run


def _polynomial(coefficients: Sequence[Array], x: Array, out: Array) -> None:
    """Horner's rule."""
    first, second, *rest = coefficients
    np.multiply(x, first, out=out)
    np.add(out, second, out=out)
    for coefficient in rest:
        np.multiply(out, x, out=out)
        np.add(out, coefficient, out=out)
