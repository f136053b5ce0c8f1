"""What a profile says: the time of each node and of each part of a run, against what the machine can do."""

from __future__ import annotations

from dataclasses import asdict
from typing import Literal, get_args

from declnet.core.spec import Spec
from declnet.errors import Mark
from declnet.records import record
from declnet.runner.costs import Cost
from declnet.runner.machine import Limits
from declnet.runner.watch import InStep, Name

Bound = Literal["compute", "memory", ""]


@record
class Way:
    """Forward or backward of a node, all runs of it together."""

    seconds: float
    cost: Cost


@record
class NodeTimes:
    """One call of a component in training, a term of the loss included."""

    name: str
    type: str
    mark: Mark
    """Where the config has it."""
    output: Spec
    """For a full batch."""
    forward: Way
    backward: Way

    @property
    def seconds(self) -> float:
        """Of both."""
        return self.forward.seconds + self.backward.seconds

    @property
    def cost(self) -> Cost:
        """Of both."""
        return self.forward.cost + self.backward.cost


@record
class PartTimes:
    """A part of a run beside its nodes; what is inside it and measured too is not in it."""

    name: Name | Literal["loop"]
    calls: int
    seconds: float


@record
class Profile:
    """Where the time of a run went. Nodes, parts and `measuring` add up to `seconds`."""

    seconds: float
    steps: int
    runs: int
    """Of the training plans: with `loop.accumulate`, and with LBFGS, a step has several."""
    threads: int
    """That share a matrix product."""
    limits: Limits
    nodes: list[NodeTimes]
    """In the order of the config."""
    parts: list[PartTimes]
    measuring: float
    """Seconds that reading the clock took; they are in no node and no part."""
    lap: float
    """Seconds that reading it once takes."""

    @property
    def computing(self) -> float:
        """Seconds in all nodes."""
        return sum(node.seconds for node in self.nodes)

    @property
    def stepping(self) -> float:
        """Seconds in all that a step is made of."""
        return self.computing + sum(part.seconds for part in self.parts if part.name in get_args(InStep))

    @property
    def unattributed(self) -> float:
        """Share of the seconds that belong to no node and to no part with a name."""
        return sum(part.seconds for part in self.parts if part.name == "loop") / self.seconds

    def least(self, cost: Cost) -> float:
        """Seconds that the machine takes for this at least."""
        return max(cost.flops / self.limits.flops, cost.nbytes / self.limits.bandwidth)

    def bound(self, cost: Cost) -> Bound:
        """What takes the longer: the operations or the bytes. Nothing for a node that does nothing."""
        if not cost.nbytes:
            return ""
        return "compute" if cost.flops / self.limits.flops > cost.nbytes / self.limits.bandwidth else "memory"

    def share_of_limit(self, way: Way | NodeTimes) -> float | None:
        """The least time against the time it took; None where it took none."""
        return self.least(way.cost) / way.seconds if way.seconds and way.cost.nbytes else None


def plain(profile: Profile) -> dict[str, object]:
    """A profile for programs: seconds, operations and bytes a second, shares of 1."""
    return {
        "seconds": profile.seconds,
        "steps": profile.steps,
        "runs": profile.runs,
        "limits": asdict(profile.limits) | {"threads": profile.threads},
        "nodes": [_node(profile, node) for node in profile.nodes],
        "parts": [asdict(part) | {"share": part.seconds / profile.seconds} for part in profile.parts],
        "measuring": {"seconds": profile.measuring, "each": profile.lap},
        "unattributed": profile.unattributed,
    }


def _node(profile: Profile, node: NodeTimes) -> dict[str, object]:
    return {
        "name": node.name,
        "type": node.type,
        "file": node.mark.file,
        "line": node.mark.line,
        "output": {"shape": list(node.output.shape), "kind": node.output.kind},
        "calls": profile.runs,
        "forward": _way(profile, node.forward),
        "backward": _way(profile, node.backward),
        "share_of_step": node.seconds / profile.stepping,
        "bound": profile.bound(node.cost) or None,
        "share_of_limit": profile.share_of_limit(node),
    }


def _way(profile: Profile, way: Way) -> dict[str, object]:
    """All runs together, and the rates."""
    return {
        "seconds": way.seconds,
        "flops": way.cost.flops,
        "bytes": way.cost.nbytes,
        "flops_per_second": way.cost.flops / way.seconds if way.seconds else None,
        "share_of_limit": profile.share_of_limit(way),
    }
