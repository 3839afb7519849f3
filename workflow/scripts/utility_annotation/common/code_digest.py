"""What code a script reaches, as one digest: the reason for which a rule's results are stale or not.

Snakemake compares neither the modules that a script imports nor, across a checkout, anything but modification times.
So each rule carries the digest of the code that its script reaches, as a parameter. The unit is the top-level
definition: from the script, names are followed through imports into the library, and only the functions, classes and
constants so reached count. Comments, docstrings, formatting and the order of definitions do not.

Followed are names and attributes of modules; a module handed around as a value counts whole. ``getattr`` with a
computed name on anything but a module is not seen, and the library does without.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

NEUTRAL = frozenset(
    {
        "utility_annotation.common.errors",
        "utility_annotation.common.importing",
        "utility_annotation.common.progress",
        "utility_annotation.annotation.progress",
        "utility_annotation.settings.performance",
        "utility_annotation.common.devices",
    }
)
"""Modules and definitions that change what a user reads while a job runs, or how fast it is, but never its result."""

_WHOLE = "*"


@dataclass
class _Module:
    """One parsed file: its top-level definitions, its loose statements and what its imported names stand for."""

    name: str
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    loose: list[ast.stmt] = field(default_factory=list)
    imports: dict[str, tuple[str, str | None]] = field(default_factory=dict)


@cache
def code_digest(script: Path | str) -> str:
    """SHA-256 (16 hex digits) of the code that ``script`` reaches among the files beside it.

    A process reads each file once; after a change to one, call :func:`forget`.

    Args:
        script: a Python file; modules are looked up in its folder.

    Raises:
        SyntaxError: a reached file does not parse.
    """
    script = Path(script).resolve()
    reached = _reach(script.parent, script.stem)
    digest = hashlib.sha256()
    for name in sorted(reached):
        digest.update(f"{name}\n{reached[name]}\n".encode())
    return digest.hexdigest()[:16]


def forget() -> None:
    """Forget every file that was read, so that the next digest is that of the files as they are then."""
    for cached in (code_digest, _read, _module, _path):
        cached.cache_clear()


def _reach(folder: Path, script: str) -> dict[str, str]:
    """Source text of every definition reached, by qualified name."""
    reached: dict[str, str] = {}
    todo: list[tuple[str, str]] = [(script, _WHOLE)]
    seen: set[tuple[str, str]] = set()
    while todo:
        module_name, name = todo.pop()
        if (module_name, name) in seen or {module_name, f"{module_name}.{name}"} & NEUTRAL:
            continue
        seen.add((module_name, name))
        module = _module(folder, module_name)
        if module is None:
            continue
        if "." in module_name:
            todo.append((module_name.rpartition(".")[0], ""))
        if name == _WHOLE:
            todo.extend((module_name, definition) for definition in module.definitions)
        if name:
            todo.append((module_name, ""))
        if name and name not in module.definitions and name in module.imports:  # re-exported by a package
            todo.append(_target(folder, *module.imports[name]))
        text, references = _read(folder, module_name, name)
        if text:
            reached[f"{module_name}.{name}"] = text
        todo.extend(references)
    return reached


@cache
def _read(folder: Path, module_name: str, name: str) -> tuple[str, list[tuple[str, str]]]:
    """A definition's source text, or that of the loose statements for no name, and what it refers to."""
    module = _module(folder, module_name)
    assert module is not None, "only modules that were found are read"
    statements = module.definitions.get(name, []) if name else module.loose
    references = [reference for statement in statements for reference in _references(folder, module, statement)]
    return "\n".join(_text(statement) for statement in statements), references


def _references(folder: Path, module: _Module, statement: ast.stmt) -> Iterator[tuple[str, str]]:
    imports = {
        alias: _target(folder, *target)
        for alias, target in (
            module.imports | _imports(module.name, _is_package(folder, module.name), statement)
        ).items()
    }
    attributes_of: set[int] = set()
    for node in ast.walk(statement):
        if isinstance(node, ast.Attribute) and (chain := _dotted(node)):
            root, *rest = chain
            if root in imports and imports[root][1] == _WHOLE and rest:
                attributes_of.add(id(_root(node)))
                yield from _through_module(folder, imports[root][0], rest)
    for node in ast.walk(statement):
        if not isinstance(node, ast.Name) or id(node) in attributes_of:
            continue
        if node.id in module.definitions:
            yield module.name, node.id
        elif node.id in imports:
            yield imports[node.id]


def _through_module(folder: Path, module_name: str, attributes: list[str]) -> Iterator[tuple[str, str]]:
    """``package.module.name`` as (module, name), going down as long as the parts are files."""
    while attributes and _path(folder, f"{module_name}.{attributes[0]}") is not None:
        module_name, attributes = f"{module_name}.{attributes[0]}", attributes[1:]
    yield module_name, attributes[0] if attributes else _WHOLE


def _target(folder: Path, module_name: str, name: str | None) -> tuple[str, str]:
    """What ``from module import name`` (or ``import module`` for no name) stands for."""
    if name is None:
        return module_name, _WHOLE
    if _path(folder, f"{module_name}.{name}") is not None:
        return f"{module_name}.{name}", _WHOLE
    return module_name, name


@cache
def _module(folder: Path, name: str) -> _Module | None:
    path = _path(folder, name)
    if path is None:
        return None
    module = _Module(name)
    for statement in ast.parse(path.read_text(encoding="utf-8"), filename=str(path)).body:
        if isinstance(statement, ast.Import | ast.ImportFrom):
            module.imports |= _imports(name, path.name == "__init__.py", statement)
            continue
        names = _defined(statement)
        for defined in names:
            module.definitions.setdefault(defined, []).append(statement)
        if not names and not _is_docstring(statement):
            module.loose.append(statement)
            module.imports |= _imports(name, path.name == "__init__.py", statement)
    return module


def _imports(module_name: str, is_package: bool, statement: ast.stmt) -> dict[str, tuple[str, str | None]]:
    """Names bound by the imports within a statement: alias → (module, name or None for the module itself)."""
    found: dict[str, tuple[str, str | None]] = {}
    for node in ast.walk(statement):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.partition(".")[0]] = (
                    alias.name if alias.asname else alias.name.partition(".")[0],
                    None,
                )
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module_name, is_package, node)
            for alias in node.names:
                found[alias.asname or alias.name] = (base, alias.name)
    return {
        alias: (f"{base}.{name}", None) if name is not None and not base else (base, name)
        for alias, (base, name) in found.items()
    }


def _absolute(module_name: str, is_package: bool, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module_name.split(".")
    parts = parts[: len(parts) - node.level + (1 if is_package else 0)]
    return ".".join([*parts, *([node.module] if node.module else [])])


@cache
def _path(folder: Path, name: str) -> Path | None:
    stem = folder.joinpath(*name.split("."))
    return next((path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file()), None)


def _is_package(folder: Path, name: str) -> bool:
    path = _path(folder, name)
    return path is not None and path.name == "__init__.py"


def _defined(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return [node.id for target in targets for node in ast.walk(target) if isinstance(node, ast.Name)]
    return []


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _dotted(node: ast.AST) -> list[str]:
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return [*prefix, node.attr] if (prefix := _dotted(node.value)) else []
    return []


def _root(node: ast.AST) -> ast.AST:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node


def _text(statement: ast.stmt) -> str:
    """The statement's source, normalised: without comments and docstrings."""
    copy = ast.parse(ast.unparse(statement))
    for node in ast.walk(copy):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [child for child in body if not _is_docstring(child)] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(copy)
