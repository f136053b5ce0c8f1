"""Statistics of each sample's own: a block is done with before the next.

    output = (input - mean) / sqrt(var + eps) * weight + bias
    grad_input = (h - mean(h) - n * mean(h * n)) / sqrt(var + eps)

with n = (input - mean) / sqrt(var + eps) and h = grad_output * weight. What is not centred has a mean of 0.
"""

from __future__ import annotations

import numpy as np

from declnet.core.component import Action, Site, Step
from declnet.core.numerics import filled, room
from declnet.core.spec import Array
from declnet.core.threads import in_order
from declnet.normalization.block import Block, Calls, Channels, blocks, invert, over
from declnet.normalization.view import View


class _Own:
    """The statistics and the weight of a block."""

    def __init__(self, site: Site, view: View, block: Block) -> None:
        names = "mean", "var", "inverse"
        self.mean, self.var, self.inverse = (site.scratch[name][block.place] for name in names)
        weight = site.params.get("weight")
        self.weight = None if weight is None else weight.reshape(view.groups, view.channels, 1)[block.place[1]]

    def scale(self, calls: Calls, block: Block) -> Array:
        """weight / std: as large as the block where each number is a channel, so it takes the product's place."""
        if self.weight is None:
            return self.inverse
        scale = room(block.product, (*block.x.shape[:3], 1))
        rows, columns = self.inverse.reshape(-1, 1), self.weight.reshape(1, -1)
        if block.x.shape[1] == 1 and block.x.shape[3] == 1:  # a product of matrices is faster than broadcasting
            calls.do(np.dot, rows, columns, scale.reshape(len(rows), -1))
        else:
            calls.do(np.multiply, self.inverse, self.weight, scale)
        return scale

    def weighted(self, calls: Calls, total: Array, out: Array) -> None:
        """out = the sum over a group's channels, each times its weight."""
        channels = total.shape[2]
        weight = np.ones(total.shape[1:], total.dtype) if self.weight is None else self.weight[..., 0]
        if channels == 1:
            calls.do(np.multiply, total, weight, out[..., 0])
        elif total.shape[1] == 1:  # one product is faster than one for each sample
            calls.do(np.matmul, total[:, 0], weight[0], out.reshape(-1))
        else:
            calls.do(np.vecdot, total, weight, out[..., 0, 0])


def bind(site: Site, view: View, eps: float) -> Step:
    """The step. Forward leaves the mean and the biased variance in the scratch."""
    lanes, first = blocks(site, view), Calls()
    bias = site.params.get("bias")
    shift = None if bias is None else Channels(bias.reshape(view.groups, view.channels, 1), site.scratch["wide"][0])
    if shift is not None:
        shift.fresh(first)

    def ahead(calls: Calls, block: Block) -> None:
        _forward(calls, block, _Own(site, view, block), view, eps)
        if shift is not None:
            calls.do(np.add, block.y, shift.beside(block.place), block.y)

    forward: list[Action] = [first.run, over(lanes, ahead)]
    if site.grad_output is None:
        return Step(in_order(forward))
    last = Calls()
    for name, parts in zip(("weight", "bias"), site.scratch["parts"], strict=True):
        grad = site.grads.get(name)
        if grad is not None:
            last.do(np.add.reduce, parts, 0, None, grad.reshape(parts.shape[1:]))

    def back(calls: Calls, block: Block) -> None:
        _backward(calls, block, _Own(site, view, block), site, view)

    return Step(in_order(forward), in_order([over(lanes, back), last.run]))


def _forward(calls: Calls, block: Block, own: _Own, view: View, eps: float) -> None:
    """Statistics in two passes over each group, then the map but for the bias."""
    do, deviation = calls.do, block.x
    if view.centred:
        rows = block.x.reshape(own.mean.size, -1)
        do(np.matmul, rows, filled(rows.dtype, rows.shape[1], 1 / view.count), own.mean.reshape(-1))
        do(np.subtract, block.x, own.mean, block.y)
        deviation = block.y
    rows = deviation.reshape(own.var.size, -1)
    do(np.vecdot, rows, rows, own.var.reshape(-1))
    do(np.multiply, own.var, np.array(1 / view.count, rows.dtype), own.var)
    invert(calls, own.var, eps, own.inverse)
    do(np.multiply, deviation, own.scale(calls, block), block.y)


def _backward(calls: Calls, block: Block, own: _Own, site: Site, view: View) -> None:
    """Sums over channels give the gradients of weight and bias, weighted sums over groups that of the input."""
    do, (slope, offset) = calls.do, (factor[block.place] for factor in site.scratch["factors"])
    deviation = block.x
    if view.centred:
        deviation = block.product if block.grad_x is None else block.grad_x
        do(np.subtract, block.x, own.mean, deviation)
    means = [(block.total_product(calls, block.grad_y, deviation), slope)]
    factors = [own.inverse]
    if view.centred:
        means.append((block.total(calls, block.grad_y, 1), offset))
        factors.append(np.ones_like(own.mean))
    for name, factor, (total, _), part in zip(("weight", "bias"), factors, means, block.parts, strict=False):
        if site.grads.get(name) is not None:
            _weigh(calls, factor, total, part)
    if block.grad_x is None:
        return
    share = np.array(1 / view.count, block.x.dtype)
    for total, mean in means:
        own.weighted(calls, total, mean)
        do(np.multiply, mean, share, mean)
        do(np.multiply, mean, own.inverse, mean)
    do(np.multiply, slope, own.inverse, slope)
    do(np.multiply, slope, own.inverse, slope)
    do(np.multiply, block.grad_y, own.scale(calls, block), block.product)
    do(np.multiply, deviation, slope, block.grad_x)
    do(np.subtract, block.product, block.grad_x, block.grad_x)
    if view.centred:
        do(np.subtract, block.grad_x, offset, block.grad_x)


def _weigh(calls: Calls, factors: Array, totals: Array, out: Array) -> None:
    """out (groups, channels) = the totals of all samples, each times its factor."""
    rows = factors[..., 0].transpose(1, 2, 0)  # (groups, 1, samples)
    calls.do(np.matmul, rows, totals.swapaxes(0, 1), out[:, None])
