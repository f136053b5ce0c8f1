"""Statistics across samples: each pass goes over all blocks, and the next one needs what it found.

    output = input * scale + shift, with scale = weight / sqrt(var + eps) and shift = bias - mean * scale
    grad_input = (grad_output - mean(grad_output) - n * mean(grad_output * n)) * scale

with n = (input - mean) / sqrt(var + eps). Each group is one channel.
"""

from __future__ import annotations

import numpy as np

from declnet.core.component import Action, Site, Step
from declnet.core.spec import Array
from declnet.core.threads import in_order, side_by_side
from declnet.normalization.block import Block, Calls, Channels, blocks, invert, over
from declnet.normalization.view import View


def bind(site: Site, view: View, eps: float) -> Step:
    """The step. Forward leaves the mean and the biased variance in the scratch."""
    lanes = blocks(site, view)
    forward = in_order(_forward(site, view, lanes, eps))
    return Step(forward) if site.grad_output is None else Step(forward, in_order(_backward(site, view, lanes)))


def apply(site: Site, view: View, scale: Channels, shift: Channels) -> Action:
    """output = input * scale + shift."""
    x, y = (array.reshape(view.shape) for array in (site.input, site.output))
    runs: list[Action] = []
    for places in view.lanes:
        calls = Calls()
        for _, place in places:
            calls.do(np.multiply, x[place], scale.beside(place), y[place])
            calls.do(np.add, y[place], shift.beside(place), y[place])
        runs.append(calls.run)
    return side_by_side(runs)


def _forward(site: Site, view: View, lanes: list[list[Block]], eps: float) -> list[Action]:
    """Statistics in two passes, then the map."""
    mean, var, inverse, scale, shift = (site.scratch[name] for name in ("mean", "var", "inverse", "scale", "shift"))
    parts, wide = site.scratch["parts"][0, ..., 0], site.scratch["wide"]
    centre, factor, term = (Channels(a[0], w) for a, w in zip((mean, scale, shift), wide, strict=False))
    share = np.full(len(parts), 1 / max(1, view.count), mean.dtype)
    found, ready = Calls(), Calls()

    def add(calls: Calls, block: Block) -> None:
        _add_up(calls, block.total(calls, block.x), block.parts[0])

    def add_squares(calls: Calls, block: Block) -> None:
        deviation = block.product
        calls.do(np.subtract, block.x, centre.beside(block.place), deviation)
        _add_up(calls, block.total_product(calls, deviation, deviation), block.parts[0])

    found.do(share.dot, parts, mean.reshape(-1))
    centre.fresh(found)
    ready.do(share.dot, parts, var.reshape(-1))
    invert(ready, var, eps, inverse)
    _rescale(ready, site, factor)
    bias = site.params.get("bias")
    ready.do(np.multiply, mean, scale, shift)
    ready.do(np.subtract, np.zeros((), mean.dtype) if bias is None else bias.reshape(mean.shape), shift, shift)
    term.fresh(ready)
    return [over(lanes, add), found.run, over(lanes, add_squares), ready.run, apply(site, view, factor, term)]


def _add_up(calls: Calls, sums: Array, out: Array) -> None:
    """Sums over the samples of a block."""
    samples = len(sums)
    calls.do(np.ones(samples, sums.dtype).dot, sums.reshape(samples, -1), out.reshape(-1))


def _rescale(calls: Calls, site: Site, factor: Channels) -> None:
    """scale = weight / std."""
    inverse, scale, weight = site.scratch["inverse"], site.scratch["scale"], site.params.get("weight")
    calls.do(np.multiply, inverse, np.ones_like(inverse) if weight is None else weight.reshape(scale.shape), scale)
    factor.fresh(calls)


def _backward(site: Site, view: View, lanes: list[list[Block]]) -> list[Action]:
    """Sums over channels give all gradients."""
    (slope, offset), wide = site.scratch["factors"], site.scratch["wide"]
    mean, inverse, scale, spare = (site.scratch[name] for name in ("mean", "inverse", "scale", "var"))
    arrays = zip((mean, scale, slope, offset), wide, strict=True)
    centre, factor, bend, term = (Channels(array[0], own) for array, own in arrays)
    first, found = Calls(), Calls()
    centre.fresh(first)

    def add(calls: Calls, block: Block) -> None:
        deviation = block.product
        calls.do(np.subtract, block.x, centre.beside(block.place), deviation)
        _add_up(calls, block.total_product(calls, block.grad_y, deviation), block.parts[0])
        _add_up(calls, block.total(calls, block.grad_y, 1), block.parts[1])

    def pull(calls: Calls, block: Block) -> None:
        do, grad_x = calls.do, block.grad_x
        do(np.multiply, block.grad_y, factor.beside(block.place), grad_x)
        do(np.multiply, block.x, bend.beside(block.place), block.product)
        do(np.subtract, grad_x, block.product, grad_x)
        do(np.subtract, grad_x, term.beside(block.place), grad_x)

    for parts, numbers in zip(site.scratch["parts"], (slope, offset), strict=True):
        found.do(np.add.reduce, parts, 0, None, numbers.reshape(view.groups, 1))
    found.do(np.multiply, slope, inverse, slope)
    for name, numbers in (("weight", slope), ("bias", offset)):
        grad = site.grads.get(name)
        if grad is not None:
            found.do(np.copyto, grad, numbers.reshape(grad.shape))
    sums = [first.run, over(lanes, add), found.run]
    if site.grad_input is None:
        return sums
    share = np.array(1 / max(1, view.count), inverse.dtype)
    _rescale(found, site, factor)
    for numbers in (slope, offset):
        found.do(np.multiply, numbers, share, numbers)
        found.do(np.multiply, numbers, scale, numbers)
    found.do(np.multiply, slope, inverse, slope)
    # x * slope instead of (x - mean) * slope spares a pass; what the mean adds is taken out of the offset.
    found.do(np.multiply, mean, slope, spare)
    found.do(np.subtract, offset, spare, offset)
    bend.fresh(found)
    term.fresh(found)
    return [*sums, over(lanes, pull)]
