"""One compiled loop in the place of many passes, where Numba is installed (`declnet[numba]`).

NumPy makes one pass over a block for each operation of a formula. A formula that is run once on symbols in the
place of arrays says which operations these are; as the body of a loop that Numba compiles, they read and write each
element once, at the speed of memory. The operations and their order are the formula's own, and IEEE 754 says how
each of them rounds: the results are the same bits as without Numba. The gradient alone is not written: who reads it
next writes it anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import cache, cached_property, partial
from typing import Any, Final

import numpy as np
from numpy.lib.mixins import NDArrayOperatorsMixin

from declnet.core.component import Action
from declnet.core.numerics import spread
from declnet.core.optimizer import Looked
from declnet.core.spec import Array
from declnet.core.threads import LANES, side_by_side

WORTH: Final = 1 << 33
"""Elements times passes, of all runs together, after which a loop is compiled: NumPy has taken longer by then than
importing Numba and compiling the loop do, some two seconds. Nobody who stops sooner has waited for it.
"""

LEAST: Final = 1 << 16
"""Elements from which a loop gains more in each run than it takes to write down the formula."""

EXACT: Final = {
    np.add: "{} + {}",
    np.subtract: "{} - {}",
    np.multiply: "{} * {}",
    np.divide: "{} / {}",
    np.negative: "-{}",
    np.absolute: "abs({})",
    np.square: "{0} * {0}",
    np.sqrt: "np.sqrt({})",
    np.maximum: "np.maximum({}, {})",
    np.minimum: "np.minimum({}, {})",
}
"""Operations whose result IEEE 754 leaves no choice about, but for the sign of a zero that is the larger of two, as
the loop's lines have them.
"""


@cache
def _numba() -> Any:
    """The package; None where it cannot be imported."""
    try:
        import numba
    except ImportError:  # not installed, or not made for this NumPy
        return None
    return numba


class Symbol(NDArrayOperatorsMixin):
    """What stands for a block: it writes down what is done to it, and refuses (TypeError) what a loop cannot do."""

    def __init__(self, name: str, loop: Loop) -> None:
        self.name = name
        self._loop = loop

    def __bool__(self) -> bool:
        raise TypeError("what an element is cannot decide what is done to all")

    def __array_ufunc__(self, function: np.ufunc, method: str, *inputs: Any, **options: Any) -> Any:
        out = options.pop("out", None)
        if method != "__call__" or function not in EXACT or options:
            return NotImplemented  # NumPy raises TypeError then
        return self._loop.line(function, inputs, *(out or ()))


class Loop:
    """The operations of a formula over vectors of one dtype, `param, grad, *state`, written down."""

    def __init__(self, formula: Callable[..., None], dtype: np.dtype[Any], vectors: int, works: int) -> None:
        self._dtype = dtype
        self._lines: list[str] = []
        self._written: dict[str, None] = {}
        self.values: list[Any] = []
        """The numbers that the formula used, in the order of the loop's arguments behind the vectors."""
        self._vectors = [f"x{i}" for i in range(vectors)]
        formula(*(Symbol(name, self) for name in [*self._vectors, *(f"work{i}" for i in range(works))]))

    def line(self, function: np.ufunc, inputs: Sequence[Any], out: Any = None) -> Symbol:
        """Write down one operation; without `out`, its result is a new symbol."""
        result = Symbol(f"new{len(self._lines)}", self) if out is None else out
        if not isinstance(result, Symbol):
            raise TypeError("a loop writes to blocks")
        self._lines.append(f"{result.name} = {EXACT[function].format(*map(self._term, inputs))}")
        self._written[result.name] = None
        return result

    def _term(self, value: Any) -> str:
        if isinstance(value, Symbol):
            return value.name
        if np.shape(value) or (type(value) not in (int, float) and np.asarray(value).dtype != self._dtype):
            raise TypeError("a loop takes blocks, and single numbers of their dtype")
        self.values.append(self._dtype.type(value))
        return f"number{len(self.values) - 1}"

    @property
    def source(self) -> str:
        """The loop as a function of the vectors and the numbers. It says whether all gradients were finite, and all
        parameters are.
        """
        arguments = [*(f"{name}s" for name in self._vectors), *(f"number{i}" for i in range(len(self.values)))]
        param, grad, *state = self._vectors
        body = [
            *(f"{name} = {name}s[i]" for name in self._vectors),
            f"wrong_gradients += not {grad} - {grad} == 0",
            *self._lines,
            f"wrong_params += not {param} - {param} == 0",
            *(f"{name}s[i] = {name}" for name in (param, *state) if name in self._written),
        ]
        return "\n".join(
            [
                f"def loop({', '.join(arguments)}):",
                "    wrong_gradients = wrong_params = 0",
                f"    for i in range({param}s.size):",
                *(f"        {line}" for line in body),
                "    return wrong_gradients == 0, wrong_params == 0",
            ]
        )


@cache
def compiled(source: str, dtype: np.dtype[Any], vectors: int, numbers: int) -> Callable[..., tuple[bool, bool]]:
    """The loop of a source, compiled for vectors of a dtype; threads run side by side in it."""
    names: dict[str, Any] = {"np": np}
    exec(source, names)  # noqa: S102  of this file's own making: no name or text in it comes from elsewhere
    loop: Callable[..., tuple[bool, bool]] = _numba().njit(nogil=True, error_model="numpy")(names["loop"])
    loop(*[np.empty(0, dtype)] * vectors, *[dtype.type(1)] * numbers)  # compiles it
    return loop


class Fused:
    """Runs formulas over lanes of vectors `param, grad, *state`, each as one loop, once that is worthwhile."""

    def __init__(self, vectors: Sequence[Array], looked: list[Looked], *, works: int, passes: int) -> None:
        """`looked` is told for each lane whether all gradients were finite, and whether all parameters are."""
        self._vectors, self._looked, self._works, self._passes = vectors, looked, works, passes
        size = vectors[0].size
        self._wait = WORTH // (size * passes) if size >= LEAST else math.inf

    @cached_property
    def _run(self) -> Action:
        lanes = spread(self._vectors[0].size, self._passes)
        return side_by_side([partial(self._lane, *lane) for lane in enumerate(lanes)], crowd=LANES)

    def _lane(self, number: int, lane: slice) -> None:
        vectors = (vector[lane] for vector in self._vectors)
        self._looked[number] = Looked(*self._kernel(*vectors, *self._values))

    def __call__(self, formula: Callable[..., None]) -> bool:
        """Run a formula; False where that is left to NumPy, with nothing done yet."""
        if self._wait:
            self._wait -= 1
            return False
        if _numba() is None:
            self._wait = math.inf
            return False
        try:
            loop = Loop(formula, self._vectors[0].dtype, len(self._vectors), self._works)
        except (TypeError, AttributeError):  # it does what symbols cannot
            return False
        self._kernel = compiled(loop.source, self._vectors[0].dtype, len(self._vectors), len(loop.values))
        self._values = loop.values
        self._run()
        return True
