"""The forms that PyTorch comes in. The fastest of them is what declnet is compared with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

EAGER: Final = "PyTorch"
FOREACH: Final = "PyTorch foreach"
FUSED: Final = "PyTorch fused"
CHANNELS_LAST: Final = "PyTorch channels_last"
COMPILE: Final = "PyTorch compile"


class Form(NamedTuple):
    """How a PyTorch user writes it."""

    optimizer: Mapping[str, bool]
    """Arguments of the optimizer beside those of the workload."""
    channels_last: bool = False
    compile: bool = False


FORMS: Final[Mapping[str, Form]] = {
    EAGER: Form({}),
    FOREACH: Form({"foreach": True}),
    FUSED: Form({"fused": True}),
    CHANNELS_LAST: Form({"fused": True}, channels_last=True),
    COMPILE: Form({"fused": True}, compile=True),
}
"""By the name of the side. A user who goes for channels_last or torch.compile takes the fused optimizer too."""
