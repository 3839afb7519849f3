"""Arguments of a script from keywords: ``arguments(settings={…}, output_trec=path)``."""

from __future__ import annotations

import json


def arguments(**values: object) -> list[str]:
    """A dictionary becomes JSON, a list several values, anything else its text."""
    given: list[str] = []
    for name, value in values.items():
        given.append("--" + name.replace("_", "-"))
        if isinstance(value, dict):
            given.append(json.dumps(value))
        else:
            given += map(str, value if isinstance(value, list) else [value])
    return given
