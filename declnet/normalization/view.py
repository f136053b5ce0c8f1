"""How the kernel sees an input: which of its numbers share a mean, and which a weight."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from declnet.core.component import Parameter, Scratch
from declnet.core.laws import Constant
from declnet.core.numerics import BLOCK
from declnet.core.threads import LANE, cut
from declnet.records import record

SIZE: Final = 4 * BLOCK
"""Elements worked on at a time. Fewer would stay in the L2 cache, but threads that come back to the interpreter
more often than every 20 microseconds or so wait for one another (measured).
"""

FEWEST: Final = 4
"""Blocks that are worth a lane, whose scratch they share, or numbers of channels written out for one of them."""

APART: Final = 1 << 13
"""Places of a channel from which it gains nothing: so much NumPy takes at a time (measured)."""

Place = tuple[slice, slice]
"""Some samples and some groups."""


@record
class View:
    """An input seen as (samples, groups, channels, places). Each channel has a weight and a bias; each group in
    each sample has a mean and a variance, or, `across` samples, each group, which is then one channel. What is
    not `centred` has no mean: its variance is the mean square.
    """

    samples: int
    groups: int
    channels: int
    places: int
    across: bool = False
    centred: bool = True

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """The input's shape, seen so."""
        return self.samples, self.groups, self.channels, self.places

    @property
    def statistics(self) -> tuple[int, int, int, int]:
        """The shape of mean and variance."""
        return 1 if self.across else self.samples, self.groups, 1, 1

    @property
    def count(self) -> int:
        """How many numbers share a mean."""
        return self.channels * self.places * (self.samples if self.across else 1)

    @property
    def block(self) -> tuple[int, int]:
        """Samples and groups worked on at a time: whole samples, or some groups of one. No gaps in memory."""
        most = max(1, SIZE // max(1, self.channels * self.places))
        return (1, most) if most < self.groups else (min(most // max(1, self.groups), self.samples), self.groups)

    @property
    def parts(self) -> int:
        """Into how many parts the samples are divided; an empty input has none."""
        return -(-self.samples // self.block[0]) if math.prod(self.shape) else 0

    def blocks(self) -> Iterator[tuple[int, Place]]:
        """The blocks: which part of the samples they are of, and where."""
        samples, groups = self.block
        for part in range(self.parts):
            n = slice(part * samples, min((part + 1) * samples, self.samples))
            for g in range(0, self.groups, groups):
                yield part, (n, slice(g, min(g + groups, self.groups)))

    @property
    def lanes(self) -> list[list[tuple[int, Place]]]:
        """The blocks that threads may take, in runs."""
        blocks = list(self.blocks())
        return [blocks[lane] for lane in cut(len(blocks), LANE // FEWEST)]

    @property
    def wide(self) -> tuple[int, ...]:
        """The shape of numbers for channels that are written out for a block: where that is of whole samples, and
        enough blocks use them; else of none.
        """
        samples, groups = self.block
        worth = groups == self.groups and self.samples >= FEWEST * samples and self.places < APART
        return (samples if worth else 0, groups, self.channels, self.places)

    def scratch(self, *, training: bool) -> dict[str, Scratch]:
        """Statistics, two of which backward reads, and room for a block in each lane."""
        block, lanes = (*self.block, self.channels, self.places), len(self.lanes)
        names = {
            "mean": Scratch(self.statistics, saved=training),
            "inverse": Scratch(self.statistics, saved=training),
            "var": Scratch(self.statistics),
            "product": Scratch((lanes, *block)),
            "sums": Scratch((lanes, 2, *block[:3]) if self.places > 1 else (lanes, 2, 0)),
            "parts": Scratch((2, self.parts, self.groups, self.channels)),
            "wide": Scratch((4 if self.across else 1, *self.wide)),
        }
        if self.across:
            names |= {name: Scratch(self.statistics) for name in ("scale", "shift")}
        return names | {"factors": Scratch((2, *self.statistics))} if training else names


def weight_and_bias(shape: tuple[int, ...], *, weight: bool, bias: bool) -> dict[str, Parameter]:
    """A weight of ones, and beside it perhaps a bias of zeros."""
    names = {"weight": Parameter(shape, Constant(1))} if weight else {}
    return names | {"bias": Parameter(shape, Constant(0))} if weight and bias else names
