"""The digest of the code that a script reaches: what changes it and what must not."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from utility_annotation.common import code_digest as staleness
from utility_annotation.common.code_digest import code_digest

FILES = {
    "train.py": """
        import argparse
        from utility_annotation.errors import run_script
        from utility_annotation.losses import loss
        from utility_annotation import tools
        def main():
            return loss(tools.scale(2))
        if __name__ == "__main__":
            run_script(main)
    """,
    "table.py": """
        from utility_annotation.tables import draw
        draw()
    """,
    "utility_annotation/__init__.py": '"""Library."""\n',
    "utility_annotation/errors.py": "def run_script(main):\n    main()\n",
    "utility_annotation/constants.py": "TEMPERATURE = 1.0\nUNUSED = 3\n",
    "utility_annotation/losses/__init__.py": "from .pairs import loss\n",
    "utility_annotation/losses/pairs.py": '''
        """Losses."""
        from ..constants import TEMPERATURE
        def loss(x):
            """Doc."""
            from . import late
            return late.helper(x) / TEMPERATURE  # a comment
        def other(x):
            return x
    ''',
    "utility_annotation/losses/late.py": "def helper(x):\n    return x\ndef unused(x):\n    return 0\n",
    "utility_annotation/tools.py": "def scale(x):\n    return x * 2\ndef spare(x):\n    return x\n",
    "utility_annotation/tables.py": "def draw():\n    return 'table'\n",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        indent = re.match(r"\n( *)", text)
        path.write_text(text.replace(indent[0], "\n") if indent else text)
    return tmp_path


def _stale(tree: Path, file: str, before: str, after: str) -> set[str]:
    """Which of the two scripts become stale when a piece of a file is replaced."""
    old = {script: code_digest(tree / script) for script in ("train.py", "table.py")}
    path = tree / file
    text = path.read_text()
    assert before in text
    path.write_text(text.replace(before, after))
    staleness.forget()
    return {script for script, digest in old.items() if code_digest(tree / script) != digest}


@pytest.mark.parametrize(
    ("file", "before", "after", "stale"),
    [
        ("train.py", "scale(2)", "scale(3)", {"train.py"}),
        ("utility_annotation/losses/pairs.py", "/ TEMPERATURE", "* TEMPERATURE", {"train.py"}),
        ("utility_annotation/losses/late.py", "helper(x):\n    return x", "helper(x):\n    return -x", {"train.py"}),
        ("utility_annotation/constants.py", "= 1.0", "= 2.0", {"train.py"}),
        ("utility_annotation/tools.py", "x * 2", "x * 3", {"train.py"}),
        ("utility_annotation/tables.py", "'table'", "'other'", {"table.py"}),
        ("utility_annotation/losses/__init__.py", "import loss", "import other as loss", {"train.py"}),
        ("utility_annotation/losses/pairs.py", "# a comment", "# another", set()),
        ("utility_annotation/losses/pairs.py", "Doc.", "Another docstring.", set()),
        ("utility_annotation/losses/pairs.py", "def other(x):\n    return x", "def other(x):\n    return 1", set()),
        ("utility_annotation/losses/late.py", "return 0", "return 1", set()),
        ("utility_annotation/tools.py", "def spare(x):\n    return x", "def spare(y):\n    return y + 1", set()),
        ("utility_annotation/constants.py", "UNUSED = 3", "UNUSED = 4", set()),
        ("utility_annotation/errors.py", "    main()", "    main(None)", set()),
        ("utility_annotation/tools.py", "return x * 2", "return (x  *  2)", set()),
    ],
)
def test_exactly_the_scripts_that_use_the_code_become_stale(
    tree: Path, file: str, before: str, after: str, stale: set[str]
) -> None:
    assert _stale(tree, file, before, after) == stale


def test_the_order_of_definitions_does_not_matter(tree: Path) -> None:
    old = code_digest(tree / "train.py")
    path = tree / "utility_annotation" / "constants.py"
    path.write_text("UNUSED = 3\nTEMPERATURE = 1.0\n")
    staleness.forget()
    assert code_digest(tree / "train.py") == old


def test_what_is_neutral_exists(root: Path) -> None:
    scripts = root / "workflow" / "scripts"
    for name in staleness.NEUTRAL:
        module, _, definition = name.rpartition(".")
        is_module = staleness._path(scripts, name) is not None
        is_definition = staleness._path(scripts, module) is not None and definition in (
            staleness._module(scripts, module).definitions
        )
        assert is_module or is_definition, f"{name} is neither a module nor a definition of one"
