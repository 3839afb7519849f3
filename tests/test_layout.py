"""The house: how large its parts are, and that imports run one way."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import pytest

LIBRARY = "utility_annotation"
MODULE_LINES, RULES_LINES, SNAKEFILE_LINES = 450, 200, 80
RULE_FILES, SCRIPTS, LOOSE_MODULES = 15, 18, 5

Graph = dict[str, set[str]]
"""By module or package: those that it imports."""


@cache
def _lines(path: Path) -> int:
    return len(path.read_text("utf-8").splitlines())


def _too_long(files: Iterable[Path], limit: int) -> dict[str, int]:
    return {str(file): _lines(file) for file in files if _lines(file) > limit}


def test_the_snakefile_is_a_table_of_contents(root: Path) -> None:
    assert _lines(root / "Snakefile") <= SNAKEFILE_LINES


def test_rule_files_are_few_and_short_and_hold_rules_only(root: Path) -> None:
    files = list((root / "rules").iterdir())
    assert {file.suffix for file in files} == {".smk"}
    assert len(files) <= RULE_FILES
    assert not _too_long(files, RULES_LINES)
    defining = ("def ", "class ", "import ", "from ")
    found = [
        f"{file.name}: {line.strip()}"
        for file in files
        for line in file.read_text("utf-8").splitlines()
        if line.lstrip().startswith(defining)
    ]
    assert not found


def test_scripts_are_few(root: Path) -> None:
    assert 0 < len(list((root / "workflow" / "scripts").glob("*.py"))) <= SCRIPTS


def test_no_module_is_long(root: Path) -> None:
    assert not _too_long((root / "workflow" / "scripts").rglob("*.py"), MODULE_LINES)


def test_modules_stand_in_packages(root: Path) -> None:
    loose = [file for file in (root / "workflow" / "scripts" / LIBRARY).glob("*.py") if file.stem != "__init__"]
    assert len(loose) <= LOOSE_MODULES


def test_every_package_says_what_it_is_for(root: Path) -> None:
    packages = (root / "workflow" / "scripts" / LIBRARY).rglob("__init__.py")
    assert not [str(file) for file in packages if ast.get_docstring(ast.parse(file.read_text("utf-8"))) is None]


# --- Imports -----


def _name(file: Path, scripts: Path) -> str:
    parts = file.relative_to(scripts).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _is_for_types(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)


def _statements(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Every import, in functions as well; not those for types alone, which nothing runs."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node
        elif not _is_for_types(node):
            yield from _statements(node)


def _imported(file: Path, name: str, known: set[str]) -> set[str]:
    """The modules of the library that a module imports; ``from package import module`` is an import of the module."""
    found = set()
    for node in _statements(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        else:
            above = name.split(".")[: len(name.split(".")) - node.level + (file.stem == "__init__")]
            source = ".".join([*(above if node.level else []), *([node.module] if node.module else [])])
            for alias in node.names:
                found.add(f"{source}.{alias.name}" if f"{source}.{alias.name}" in known else source)
    return (found & known) - {name}


@pytest.fixture(scope="module")
def modules(root: Path) -> Graph:
    scripts = root / "workflow" / "scripts"
    files = {_name(file, scripts): file for file in (scripts / LIBRARY).rglob("*.py")}
    return {name: _imported(file, name, set(files)) for name, file in files.items()}


def _package(module: str) -> str:
    return module.split(".")[1] if "." in module else ""


def _circles(graph: Graph) -> list[list[str]]:
    """The sets of nodes of which each reaches all others (Tarjan's strongly connected components)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    path: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        path.append(node)
        for other in graph[node]:
            if other not in number:
                visit(other)
            if other in path:
                low[node] = min(low[node], low[other])
        if low[node] == number[node]:
            circle = path[path.index(node) :]
            del path[path.index(node) :]
            if len(circle) > 1:
                found.append(sorted(circle))

    for node in graph:
        if node not in number:
            visit(node)
    return found


def test_a_circle_is_found() -> None:
    assert _circles({"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"a"}}) == [["b", "c"]]


def test_modules_import_one_way(modules: Graph) -> None:
    assert len(modules) > 100
    assert not _circles(modules)


def test_packages_import_one_way(modules: Graph) -> None:
    packages: Graph = {_package(module): set() for module in modules}
    for module, imported in modules.items():
        packages[_package(module)] |= {_package(other) for other in imported} - {_package(module)}
    assert not _circles(packages)


def test_nothing_but_scripts_imports_the_room_that_knows_snakemake(modules: Graph) -> None:
    running = f"{LIBRARY}.running"
    for module, imported in modules.items():
        if not module.startswith(running):
            assert not [other for other in imported if other.startswith(running)], module


def test_no_other_room_imports_snakemake(root: Path) -> None:
    scripts = root / "workflow" / "scripts"
    for file in (scripts / LIBRARY).rglob("*.py"):
        if "running" not in file.parts:
            named = [
                node.module if isinstance(node, ast.ImportFrom) else node.names[0].name
                for node in _statements(ast.parse(file.read_text("utf-8")))
            ]
            assert not [name for name in named if (name or "").startswith("snakemake")], file
