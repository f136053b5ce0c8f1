"""`declnet schema`: the JSON Schema of configs, for editors."""

from __future__ import annotations

from declnet.app.output import print_json
from declnet.config.json_schema import json_schema


def schema(*, plugins: bool) -> None:
    """Print the schema."""
    print_json(json_schema(plugins=plugins))
