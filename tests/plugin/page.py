"""The code blocks of docs/plugins.md, by the mark before each: `<!-- config -->`, `<!-- file: PATH -->`."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def blocks() -> dict[str, str]:
    text = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^<!-- (.+?) -->\n```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
