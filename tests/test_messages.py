"""Messages that advise to delete something: it is always something that the workflow made."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

MADE_BY_US = {
    "delete the annotation": "results/annotations",
    "delete the annotation file": "results/annotations",
    "delete the label file": "results/labels",
    "delete the answers": "results/answers",
    "delete the file": "files.REGENERATE for what is read by a schema or as JSON of ours; an engine's recorded speed",
    "delete the archive": "raw/, where downloads are; for the user's own copy the message is another",
    "delete this run": "results/runs, but not what was made of external_runs",
    "delete the runs": "results/runs",
    "delete this record": "logs and summaries of jobs",
    "delete duplicate": "records of the completion store, on request",
    "delete older": "records of the completion store, on request",
    "delete what.folder": "results/completions/ANNOTATOR",
}
"""What may be deleted, and where it is."""

OF_A_FILE = {"row", "line", "others", "empty string", "key", "`local`"}
"""What may be removed from a file or the configuration, which stays."""


def _strings(source: str) -> Iterator[str]:
    """What a module says, without its docstrings; a value within an f-string is its last name."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        for child in ast.iter_child_nodes(node):
            if isinstance(node, ast.Expr):
                continue
            if isinstance(child, ast.JoinedStr):
                yield "".join(
                    part.value if isinstance(part, ast.Constant) else f"what.{ast.unparse(part.value).split('.')[-1]}"
                    for part in child.values
                    if isinstance(part, ast.Constant | ast.FormattedValue)
                )
            elif isinstance(child, ast.Constant) and isinstance(child.value, str):
                yield child.value


def test_nothing_is_advised_to_be_deleted_but_what_the_workflow_made(root: Path) -> None:
    advice = re.compile(r"\b(?:delete|erase|wipe|rm -\w+) (?:the |this )?[\w./]+(?: file\b)?")
    removal = re.compile(r"\bremove (?:the )?([\w`]+(?: string)?)")
    scripts, rules = (root / "workflow").rglob("*.py"), (root / "rules").glob("*.smk")
    texts = [text for path in scripts for text in _strings(path.read_text("utf-8"))]
    texts += [path.read_text("utf-8") for path in rules]
    assert {found for text in texts for found in advice.findall(text)} == set(MADE_BY_US)
    assert {found for text in texts for found in removal.findall(text)} <= OF_A_FILE
