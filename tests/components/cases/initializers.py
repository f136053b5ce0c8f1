"""What initializers are asked for: fixed values, draws with their law, and what is refused."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from declnet.core import laws

WIDE, KERNEL = (400, 100), (64, 32, 3, 2)

FIXED = [
    ("constant_", {"val": -0.3}, (3, 2)),
    ("constant_", {"val": 2}, ()),
    ("ones_", {}, (4,)),
    ("zeros_", {}, (2, 0, 3)),
    *(("eye_", {}, shape) for shape in [(3, 3), (2, 5), (5, 2), (0, 3), (1, 1)]),
    *(("dirac_", {}, shape) for shape in [(2, 4, 3), (4, 2, 4), (3, 3, 3, 2), (5, 1, 1, 1, 1), (2, 3, 2, 3, 5)]),
    *(
        ("dirac_", {"groups": 3}, shape)
        for shape in [(6, 2, 3), (6, 1, 2, 2), (3, 4, 1, 1, 3), (9, 2, 3), (0, 2, 3)]
    ),
]

DRAWN = [
    ("uniform_", {"a": -3, "b": 0.5}, WIDE, laws.Uniform(-3, 0.5)),
    ("normal_", {"mean": 4.0, "std": 0.2}, WIDE, laws.Normal(4, 0.2)),
    ("xavier_uniform_", {}, WIDE, laws.Uniform(-math.sqrt(6 / 500), math.sqrt(6 / 500))),
    ("xavier_uniform_", {"gain": 2.0}, KERNEL, laws.Uniform(-math.sqrt(24 / 576), math.sqrt(24 / 576))),
    ("xavier_normal_", {}, WIDE, laws.Normal(0, math.sqrt(2 / 500))),
    ("xavier_normal_", {"gain": 0.5}, KERNEL, laws.Normal(0, math.sqrt(0.5 / 576))),
    ("kaiming_uniform_", {}, WIDE, laws.Uniform(-math.sqrt(6 / 100), math.sqrt(6 / 100))),
    ("kaiming_uniform_", {"a": 3}, WIDE, laws.Uniform(-math.sqrt(0.6 / 100), math.sqrt(0.6 / 100))),
    ("kaiming_uniform_", {"mode": "fan_out"}, KERNEL, laws.Uniform(-math.sqrt(6 / 384), math.sqrt(6 / 384))),
    ("kaiming_normal_", {"nonlinearity": "relu"}, KERNEL, laws.Normal(0, math.sqrt(2 / 192))),
    ("kaiming_normal_", {"mode": "fan_out", "nonlinearity": "tanh"}, WIDE, laws.Normal(0, 5 / 3 / 20)),
]

TRUNCATED = [
    {},
    {"std": 0.02},
    {"mean": 0.5, "std": 2.0, "a": -1.0, "b": 1.0},
    {"mean": 0.0, "std": 1.0, "a": 1.0, "b": 6.0},
    {"mean": 3.0, "std": 1.0, "a": -2.0, "b": 2.0},
    {"mean": -6.0, "std": 2.0, "a": 0.0, "b": 1.0},
    {"mean": 0.0, "std": 1e-3, "a": -1e6, "b": 1e6},
    {"mean": 0.0, "std": 1.0, "a": 30.0, "b": 1e9},
    {"mean": 10.0, "std": 1.0, "a": -1e3, "b": -1.0},
]

RANDOM = [
    *((name, given, shape) for name, given, shape, _ in DRAWN),
    *(("trunc_normal_", given, (100, 40)) for given in TRUNCATED),
    ("orthogonal_", {}, (20, 30)),
    ("orthogonal_", {"gain": 3}, (8, 2, 3)),
    ("sparse_", {"sparsity": 0.3}, WIDE),
]


class Refused(NamedTuple):
    """An initializer that cannot be, or cannot fill a parameter of the shape; whether PyTorch refuses it too."""

    name: str
    given: dict[str, Any]
    shape: tuple[int, ...]
    message: str
    torch: bool = True


OTHERS = "take another initializer there, such as uniform_, normal_ or zeros_"


def few(name: str, shape: tuple[int, ...], **given: Any) -> Refused:
    """One of those that need two dimensions at least."""
    written = f"({shape[0]},)" if shape else "()"
    has = f"but the shape {written} has {len(shape)}"
    return Refused(name, given, shape, f"p: {name} fills parameters of at least 2 dimensions, {has}; {OTHERS}")


REFUSED = [
    few("xavier_uniform_", (4,)),
    few("xavier_normal_", ()),
    few("kaiming_uniform_", (3,), a=1),
    few("kaiming_normal_", ()),
    few("orthogonal_", (3,), gain=2),
    *(
        Refused(
            name, given, (3,), f"p: {name} fills parameters of 2 dimensions, but the shape (3,) has 1; {OTHERS}"
        )
        for name, given in [("eye_", {}), ("sparse_", {"sparsity": 0.5})]
    ),
    Refused(
        *("eye_", {}, (3, 2, 1)),
        f"p: eye_ fills parameters of 2 dimensions, but the shape (3, 2, 1) has 3; {OTHERS}",
    ),
    *(
        Refused(
            "dirac_",
            {},
            shape,
            f"p: dirac_ fills parameters of 3 to 5 dimensions, but the shape {shape} has {len(shape)}; {OTHERS}",
        )
        for shape in [(3, 3), (1, 1, 1, 1, 1, 1)]
    ),
    Refused(
        *("dirac_", {"groups": 3}, (4, 4, 3)),
        "p: dirac_ with groups: 3 fills parameters whose first size is a multiple of 3, but the shape is (4, 4, 3)"
        "; take the groups of the convolution",
    ),
    Refused("dirac_", {"groups": 0}, (4, 4, 3), "p.init.groups: must be greater than 0, got 0"),
    Refused("dirac_", {"groups": -2}, (4, 4, 3), "p.init.groups: must be greater than 0, got -2", False),
    Refused("sparse_", {}, (3, 3), "p.init: sparse_ needs 'sparsity'"),
    Refused("sparse_", {"sparsity": 1.5}, (3, 3), "p.init.sparsity: must be at most 1, got 1.5", False),
    Refused("sparse_", {"sparsity": -0.5}, (3, 3), "p.init.sparsity: must be at least 0, got -0.5", False),
    Refused("sparse_", {"sparsity": 0.5, "std": -1}, (3, 3), "p.init.std: must be at least 0, got -1"),
    *(
        Refused(
            *(name, {"a": 2, "b": 1.5}, (3,)),
            "p.init.a: a is the lower bound, so it must be at most b; got a: 2 and b: 1.5",
        )
        for name in ("uniform_", "trunc_normal_")
    ),
    Refused(
        *("uniform_", {"a": -1.7e308, "b": 1.7e308}, (3,)),
        "p.init.a: a and b are too far apart to draw between them; got a: -1.7e+308 and b: 1.7e+308",
    ),
    Refused("trunc_normal_", {"std": 0}, (3,), "p.init.std: must be greater than 0, got 0"),
    Refused("trunc_normal_", {"std": -1}, (3,), "p.init.std: must be greater than 0, got -1", False),
    Refused(
        *("trunc_normal_", {"a": 1, "std": 1e-310}, (3,)),
        "p.init: the bounds 1 to 2 are too far from the mean 0 to count in standard deviations of 1e-310; "
        "give a greater std",
        False,
    ),
    Refused("normal_", {"std": -1}, (3,), "p.init.std: must be at least 0, got -1"),
    *(
        Refused(name, {"gain": -1}, (3, 3), "p.init.gain: must be at least 0, got -1")
        for name in ("xavier_uniform_", "xavier_normal_")
    ),
    Refused(
        *("kaiming_uniform_", {"mode": "fan"}, (3, 3)),
        "p.init.mode: expected 'fan_in' or 'fan_out', got 'fan'",
    ),
    Refused(
        *("kaiming_normal_", {"nonlinearity": "Relu"}, (3, 3)),
        "p.init.nonlinearity: expected 'linear', 'conv1d', 'conv2d', 'conv3d', 'conv_transpose1d', "
        "'conv_transpose2d', 'conv_transpose3d', 'sigmoid', 'tanh', 'relu', 'leaky_relu' or 'selu', got 'Relu'; "
        "did you mean 'relu'?",
    ),
    Refused("constant_", {}, (3,), "p.init: constant_ needs 'val'"),
    Refused("constant_", {"val": True}, (3,), "p.init.val: expected a number, got true", False),
    Refused(
        *("uniform_", {"generator": 1}, (3,)),
        "p.init.generator: uniform_ takes no 'generator' here: what is drawn follows from the config's seed",
    ),
    Refused("ones", {}, (3,), "p.init.type: unknown initializer 'ones'; did you mean 'ones_'?", False),
    Refused("Tanh", {}, (3,), "p.init.type: 'Tanh' is a component, not an initializer", False),
]
