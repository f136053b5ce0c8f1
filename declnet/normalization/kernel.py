"""The kernel that BatchNorm, LayerNorm, GroupNorm, InstanceNorm and RMSNorm share:

    output = (input - mean) / sqrt(var + eps) * weight + bias
    grad_input = (h - mean(h) - n * mean(h * n)) / sqrt(var + eps)

with n = (input - mean) / sqrt(var + eps) and h = grad_output * weight. The input is worked on in blocks. Where
each sample has statistics of its own, a block is done with before the next; across samples, each pass goes over
all blocks.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np

from declnet.core.component import Action, Site, Step
from declnet.core.numerics import filled
from declnet.core.spec import Array
from declnet.normalization.view import Place, View


class Calls:
    """NumPy calls in order, with their arrays; by position, which is the fastest way to call a ufunc."""

    def __init__(self) -> None:
        self._calls: list[Action] = []

    def do(self, function: Callable[..., object], *arguments: object) -> None:
        """Note a call; what a ufunc writes to is its last argument."""
        self._calls.append(partial(function, *arguments))  # type: ignore[arg-type] # what it returns is dropped

    def run(self) -> None:
        """Make the calls."""
        for call in self._calls:
            call()


def bind(site: Site, view: View, eps: float) -> Step:
    """The step. Forward leaves the mean and the biased variance in the scratch."""
    forward, backward = Calls(), Calls()
    blocks = [_Block(site, view, part, place) for part, place in view.blocks()]
    if view.across:
        _forward_across(forward, site, view, blocks, eps)
    else:
        for block in blocks:
            _forward_each(forward, block, eps)
    if site.grad_output is None:
        return Step(forward.run)
    if view.across:
        _backward_across(backward, site, view, blocks)
    else:
        for block in blocks:
            _backward_each(backward, block)
        for parts, grad in zip(site.scratch["parts"], _grads(site, view), strict=True):
            if grad is not None:
                backward.do(np.add.reduce, parts, 0, None, grad)
    return Step(forward.run, backward.run)


def _grads(site: Site, view: View) -> list[Array | None]:
    """Where the gradients of weight and bias go, as (groups, channels)."""
    grads = (site.grads.get(name) for name in ("weight", "bias"))
    return [None if grad is None else grad.reshape(view.groups, view.channels) for grad in grads]


class _Block:
    """One part of the input: its arrays, and what is done with them."""

    def __init__(self, site: Site, view: View, part: int, place: Place) -> None:
        self.count, self.centred, self.groups = view.count, view.centred, place[1]
        self.x, self.y = (array.reshape(view.shape)[place] for array in (site.input, site.output))
        own = (slice(None), place[1]) if view.across else place
        self.mean, self.var, self.inverse = (site.scratch[name][own] for name in ("mean", "var", "inverse"))
        params = (site.params.get(name) for name in ("weight", "bias"))
        self.weight, self.bias = (
            None if p is None else p.reshape(view.groups, view.channels, 1)[place[1]] for p in params
        )
        self.product = _room(site.scratch["product"], self.x.shape)
        self.sums = site.scratch["sums"]
        self.parts = site.scratch["parts"][:, part, place[1]]
        if site.grad_output is not None:
            self.grad_y = site.grad_output.reshape(view.shape)[place]
            self.grad_x = None if site.grad_input is None else site.grad_input.reshape(view.shape)[place]
            self.work = _room(site.scratch["work"], self.x.shape)
            self.slope, self.offset = (factor[own] for factor in site.scratch["factors"])
            self.wanted = [site.grads.get(name) is not None for name in ("weight", "bias")]

    def total(self, calls: Calls, array: Array, index: int = 0) -> Array:
        """Each channel's sum over its places: (samples, groups, channels)."""
        places = array.shape[-1]
        if places == 1:
            return array[..., 0]
        sums = _room(self.sums[index], array.shape[:3])
        calls.do(np.matmul, array.reshape(-1, places), filled(array.dtype, places, 1), sums.reshape(-1))
        return sums

    def map(self, calls: Calls, deviation: Array, scale: Array) -> None:
        """y = deviation * scale + bias."""
        calls.do(np.multiply, deviation, scale, self.y)
        if self.bias is not None:
            calls.do(np.add, self.y, self.bias, self.y)

    def pull(self, calls: Calls, deviation: Array, scale: Array) -> None:
        """grad_x = grad_y * scale - deviation * slope - offset."""
        calls.do(np.multiply, self.grad_y, scale, self.grad_x)
        calls.do(np.multiply, deviation, self.slope, self.work)
        calls.do(np.subtract, self.grad_x, self.work, self.grad_x)
        if self.centred:
            calls.do(np.subtract, self.grad_x, self.offset, self.grad_x)


def _invert(calls: Calls, var: Array, eps: float, inverse: Array) -> None:
    """inverse = 1 / sqrt(var + eps)."""
    calls.do(np.add, var, np.array(eps, var.dtype), inverse)
    calls.do(np.sqrt, inverse, inverse)
    calls.do(np.reciprocal, inverse, inverse)


def _forward_each(calls: Calls, block: _Block, eps: float) -> None:
    """Statistics in two passes over each group, then the map."""
    do, share = calls.do, np.array(1 / block.count, block.x.dtype)
    deviation = block.x
    if block.centred:
        rows = block.x.reshape(block.mean.size, -1)
        do(np.matmul, rows, filled(rows.dtype, rows.shape[1], 1 / block.count), block.mean.reshape(-1))
        do(np.subtract, block.x, block.mean, block.y)
        deviation = block.y
    rows = deviation.reshape(block.var.size, -1)
    do(np.vecdot, rows, rows, block.var.reshape(-1))
    do(np.multiply, block.var, share, block.var)
    _invert(calls, block.var, eps, block.inverse)
    block.map(calls, deviation, _scale_each(calls, block))


def _scale_each(calls: Calls, block: _Block) -> Array:
    """weight / std: where each number is a channel as large as the block, so it takes the place of the product."""
    if block.weight is None:
        return block.inverse
    scale = _room(block.product, (*block.x.shape[:3], 1))
    calls.do(np.multiply, block.inverse, block.weight, scale)
    return scale


def _backward_each(calls: Calls, block: _Block) -> None:
    """Sums over channels give the gradients of weight and bias, weighted sums over groups that of the input."""
    do, share = calls.do, np.array(1 / block.count, block.x.dtype)
    deviation = block.x
    if block.centred:
        deviation = block.work
        do(np.subtract, block.x, block.mean, deviation)
    do(np.multiply, block.grad_y, deviation, block.product)
    totals = [block.total(calls, block.product, 0)]
    factors = [block.inverse[..., 0].transpose(1, 2, 0)]  # (groups, 1, samples)
    if block.centred:
        totals.append(block.total(calls, block.grad_y, 1))
        factors.append(np.ones_like(factors[0]))
    for factor, total, part, wanted in zip(factors, totals, block.parts, block.wanted, strict=False):
        if wanted:
            do(np.matmul, factor, total.swapaxes(0, 1), part[:, None])
    if block.grad_x is None:
        return
    weight = np.ones(total.shape[1:], total.dtype) if block.weight is None else block.weight[..., 0]
    for total, mean in zip(totals, (block.slope, block.offset), strict=False):
        if total.shape[1] == 1:  # one product is faster than one for each sample
            do(np.matmul, total[:, 0], weight[0], mean.reshape(-1))
        else:
            do(np.vecdot, total, weight, mean[..., 0, 0])
        do(np.multiply, mean, share, mean)
        do(np.multiply, mean, block.inverse, mean)
    do(np.multiply, block.slope, block.inverse, block.slope)
    do(np.multiply, block.slope, block.inverse, block.slope)
    block.pull(calls, deviation, _scale_each(calls, block))


def _forward_across(calls: Calls, site: Site, view: View, blocks: list[_Block], eps: float) -> None:
    """Statistics in two passes over all blocks, then the map."""
    do = calls.do
    mean, var, inverse = (site.scratch[name] for name in ("mean", "var", "inverse"))
    parts = site.scratch["parts"][0, ..., 0]
    share = np.full(len(parts), 1 / max(1, view.count), mean.dtype)
    for block in blocks:
        _add_up(calls, block.total(calls, block.x), block.parts[0])
    do(np.matmul, share, parts, mean.reshape(-1))
    for block in blocks:
        do(np.subtract, block.x, block.mean, block.y)
        do(np.square, block.y, block.product)
        _add_up(calls, block.total(calls, block.product), block.parts[0])
    do(np.matmul, share, parts, var.reshape(-1))
    _invert(calls, var, eps, inverse)
    scale = _scale_across(calls, site)
    for block in blocks:
        block.map(calls, block.y, scale[:, block.groups])


def _add_up(calls: Calls, sums: Array, out: Array) -> None:
    """Sums over the samples of a block."""
    samples = len(sums)
    calls.do(np.matmul, np.ones(samples, sums.dtype), sums.reshape(samples, -1), out.reshape(-1))


def _scale_across(calls: Calls, site: Site) -> Array:
    """weight / std."""
    inverse, scale, weight = site.scratch["inverse"], site.scratch["scale"], site.params.get("weight")
    if weight is None:
        return inverse
    calls.do(np.multiply, inverse, weight.reshape(inverse.shape), scale)
    return scale


def _backward_across(calls: Calls, site: Site, view: View, blocks: list[_Block]) -> None:
    """Sums over channels give all gradients."""
    do, (slope, offset) = calls.do, site.scratch["factors"]
    mean, inverse, shift = (site.scratch[name] for name in ("mean", "inverse", "var"))
    for block in blocks:
        do(np.subtract, block.x, block.mean, block.work)
        do(np.multiply, block.grad_y, block.work, block.product)
        for index, array in enumerate((block.product, block.grad_y)):
            _add_up(calls, block.total(calls, array, index), block.parts[index])
    for parts, factor in zip(site.scratch["parts"], (slope, offset), strict=True):
        do(np.add.reduce, parts, 0, None, factor.reshape(view.groups, 1))
    do(np.multiply, slope, inverse, slope)
    for factor, grad in zip((slope, offset), _grads(site, view), strict=True):
        if grad is not None:
            do(np.copyto, grad, factor.reshape(grad.shape))
    if site.grad_input is None:
        return
    scale, share = _scale_across(calls, site), np.array(1 / max(1, view.count), inverse.dtype)
    for factor in (slope, offset):
        do(np.multiply, factor, share, factor)
        do(np.multiply, factor, scale, factor)
    do(np.multiply, slope, inverse, slope)
    # x * slope instead of (x - mean) * slope spares a pass; what the mean adds is taken out of the offset.
    do(np.multiply, mean, slope, shift)
    do(np.subtract, offset, shift, offset)
    for block in blocks:
        block.pull(calls, block.x, scale[:, block.groups])


def _room(scratch: Array, shape: tuple[int, ...]) -> Array:
    """As much of the scratch as an array of this shape takes."""
    return scratch.reshape(-1)[: math.prod(shape)].reshape(shape)
