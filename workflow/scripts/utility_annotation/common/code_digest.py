"""What code a script reaches, as one digest: the reason for which a rule's results are stale or not.

Snakemake compares neither the modules that a script imports nor, across a checkout, anything but modification times.
So each rule carries the digest of the code that its script reaches, as a parameter. The unit is the top-level
definition. From the script, names are followed through imports into the library. Only the functions, classes and
constants so reached count, in their normal form (:mod:`.syntax`), and what their imported names stand for. The order of
definitions does not count. The digest is the same under every Python from 3.10 on.

A module's loose statements run when it is imported. They count as soon as anything of the module does. Loose is every
top-level statement but imports and plain definitions: an ``if``, ``try``, ``with`` or ``for`` counts whole, with all
that it defines. ``if __name__ == "__main__":`` does not count, and ``if TYPE_CHECKING:`` counts like no ``if`` at all.
A module that is imported but never named is there for its loose statements, and so may be one that a function imports.
A definition that the project's own code decorates may be registered by it, so it counts with the loose statements.

A table is a top-level dictionary, such as the stages of the annotation or the losses. A rule that uses one entry of a
table names it, as ``MODULE:TABLE[KEY]`` or ``MODULE:TABLE[KEY].FIELD``. Of that table only these entries, or these
arguments of their calls, count: a new loss makes no training stale. ``MODULE:TABLE`` alone leaves the whole table out.

Followed are names, names in the strings of annotations, and attributes of modules. A module handed around as a value
counts whole. ``getattr`` with a computed name on anything but a module is not seen, nor a class that its base class
registers. The library does without.
"""

from __future__ import annotations

import ast
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from .syntax import dotted, normal_form

NEUTRAL = frozenset(
    {
        "utility_annotation.common.errors",
        "utility_annotation.common.importing",
        "utility_annotation.common.progress",
        "utility_annotation.annotation.progress",
        "utility_annotation.planning",
        "utility_annotation.settings.performance",
        "utility_annotation.common.devices",
    }
)
"""Packages, modules and definitions that never change a job's result by themselves.

They change what a user reads while a job runs, or how fast it is. What ``planning`` gives to a job is its settings and
the paths of its inputs, which a rule has as parameters and inputs.
"""

_WHOLE = "*"
_LOOSE = ""

_Imports = dict[str, set[tuple[str, str]]]
"""By the name that is bound: the modules, and the names in them, for which it may stand. A module itself is whole."""


@dataclass
class _Module:
    """One parsed file: its top-level definitions, its loose statements and what its imported names stand for."""

    name: str
    is_package: bool
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    loose: list[ast.stmt] = field(default_factory=list)
    imports: _Imports = field(default_factory=dict)
    named: set[str] = field(default_factory=set)

    @property
    def stars(self) -> set[str]:
        """The modules of which every name is imported."""
        return {module for module, _ in self.imports.get(_WHOLE, ())}


@cache
def code_digest(script: Path | str, function: str | None = None, entries: tuple[str, ...] = ()) -> str:
    """SHA-256 (16 hex digits) of the code that ``script`` reaches among the files beside it.

    A process reads each file once; after a change to one, call :func:`forget`.

    Args:
        script: a Python file; modules are looked up in its folder.
        function: the top-level definition of the script from which to start, beside its loose statements; None starts
            from all of them.
        entries: the entries of tables that count in place of the whole tables.

    Raises:
        SyntaxError: a reached file does not parse.
        ValueError: the script has no such definition, or there is no such entry.
    """
    script = Path(script).resolve()
    module = _module(script.parent, script.stem)
    if function is not None and (module is None or function not in module.definitions):
        raise ValueError(f"{script} defines no {function} at its top level")
    reached = _reach(script.parent, script.stem, function or _WHOLE, tuple(map(_Entry.parse, entries)))
    digest = hashlib.sha256()
    for name in sorted(reached):
        digest.update(f"{name}\n{reached[name]}\n".encode())
    return digest.hexdigest()[:16]


def forget() -> None:
    """Forget every file that was read, so that the next digest is that of the files as they are then."""
    for cached in (code_digest, _read, _module, _path):
        cached.cache_clear()


@dataclass(frozen=True)
class _Entry:
    """An entry of a table, or one argument of the call that makes it; without a key, nothing of the table."""

    module: str
    table: str
    key: str
    field: str

    @classmethod
    def parse(cls, text: str) -> _Entry:
        """Read ``MODULE:TABLE[KEY]``, ``MODULE:TABLE[KEY].FIELD`` or ``MODULE:TABLE``."""
        found = re.fullmatch(r"([\w.]+):(\w+)(?:\[([^\]]+)\](?:\.(\w+))?)?", text)
        if found is None:
            raise ValueError(f"{text!r} is no entry of a table; write MODULE:TABLE[KEY] or MODULE:TABLE[KEY].FIELD")
        return cls(found[1], found[2], found[3] or "", found[4] or "")

    def read(self, folder: Path) -> tuple[str, list[tuple[str, str]]]:
        """Its normal form, empty where the call lacks the argument, and what it refers to."""
        module = _module(folder, self.module)
        if module is not None and self.table in module.definitions and not self.key:
            return "", []
        statements = module.definitions.get(self.table, []) if module else []
        tables = [value for each in statements if isinstance(value := getattr(each, "value", None), ast.Dict)]
        values = [
            value
            for table in tables
            for key, value in zip(table.keys, table.values, strict=True)
            if isinstance(key, ast.Constant) and key.value == self.key
        ]
        if module is None or len(values) != 1:
            raise ValueError(f"{self.module} has no dictionary {self.table} with one entry {self.key!r}")
        (value,) = values
        if self.field:
            keywords = value.keywords if isinstance(value, ast.Call) else []
            given = [keyword.value for keyword in keywords if keyword.arg == self.field]
            if not given:
                return "", []
            (value,) = given
        return _forms(folder, module, [ast.Return(value=value)])


def _reach(folder: Path, script: str, root: str, entries: Iterable[_Entry] = ()) -> dict[str, str]:
    """Normal form of every definition reached, by qualified name."""
    reached: dict[str, str] = {}
    todo: list[tuple[str, str]] = [(script, root)]
    seen: set[tuple[str, str]] = set()
    for entry in entries:
        seen.add((entry.module, entry.table))  # the whole table does not count
        text, references = entry.read(folder)
        if text:
            reached[f"{entry.module}.{entry.table}[{entry.key}].{entry.field}"] = text
        todo += [(entry.module, _LOOSE), *references]
    while todo:
        module_name, name = todo.pop()
        if (module_name, name) in seen or _is_neutral(module_name, name):
            continue
        seen.add((module_name, name))
        if "." in module_name:
            todo.append((module_name.rpartition(".")[0], _LOOSE))
        module = _module(folder, module_name)
        if module is None:
            continue
        if name != _LOOSE:
            todo.append((module_name, _LOOSE))
        if name == _WHOLE:
            todo.extend((module_name, definition) for definition in module.definitions)
        elif name and name not in module.definitions:  # re-exported
            todo.extend(module.imports.get(name, ()) or ((star, name) for star in module.stars))
        if name == _WHOLE and module.is_package:
            todo.extend(target for targets in module.imports.values() for target in targets)
        text, references = _read(folder, module_name, name)
        if text:
            reached[f"{module_name}.{name}"] = text
        todo.extend(references)
    return reached


def _is_neutral(module_name: str, name: str) -> bool:
    return bool({f"{module_name}.{name}", *_with_packages(module_name)} & NEUTRAL)


@cache
def _with_packages(module_name: str) -> tuple[str, ...]:
    parts = module_name.split(".")
    return tuple(".".join(parts[:length]) for length in range(1, len(parts) + 1))


@cache
def _read(folder: Path, module_name: str, name: str) -> tuple[str, list[tuple[str, str]]]:
    """The normal form of a definition, or of the loose statements for no name, and what it refers to."""
    module = _module(folder, module_name)
    assert module is not None, "only modules that were found are read"
    statements = module.definitions.get(name, []) if name else module.loose
    text, references = _forms(folder, module, statements)
    if name == _LOOSE and not module.is_package:
        unnamed = module.imports.keys() - module.named
        references += [(target, _LOOSE) for alias in sorted(unnamed) for target, _ in module.imports[alias]]
    return text, references


def _forms(folder: Path, module: _Module, statements: Iterable[ast.stmt]) -> tuple[str, list[tuple[str, str]]]:
    """The normal form of statements, what their imported names stand for, and what they refer to."""
    forms = [form for statement in statements if (form := normal_form(statement))]
    references: list[tuple[str, str]] = []
    used: set[str] = set()
    for statement in statements:
        nodes = list(_nodes(statement))
        local = _imports(folder, module, statement)
        references += [(target, _LOOSE) for targets in local.values() for target, _ in targets]
        references += _references(folder, module, local, nodes)
        used |= {node.id for node in nodes if isinstance(node, ast.Name)}
    for alias in sorted(used & module.imports.keys()):
        forms += [f"{alias}:{':'.join(target)}" for target in sorted(module.imports[alias]) if not _is_neutral(*target)]
    return "\n".join(forms), references


def _references(folder: Path, module: _Module, local: _Imports, nodes: Iterable[ast.AST]) -> Iterator[tuple[str, str]]:
    imports = {alias: module.imports.get(alias, set()) | local.get(alias, set()) for alias in module.imports | local}
    attributes_of: set[int] = set()
    inner: set[int] = set()
    names = []
    for node in nodes:
        if isinstance(node, ast.Name):
            names.append(node)
        elif isinstance(node, ast.Attribute) and (chain := dotted(node)):
            inner.add(id(node.value))
            if id(node) in inner:  # `a.b` of `a.b.c`, which came before
                continue
            for target, name in imports.get(chain[0], ()):
                if name == _WHOLE:
                    attributes_of.add(id(_root(node)))
                    yield from _through_module(folder, target, chain[1:])
    for node in names:
        if node.id in module.definitions:
            yield module.name, node.id
        for target, name in imports.get(node.id, ()):
            if name != _WHOLE or id(node) not in attributes_of:
                yield target, name
        if node.id not in module.definitions and node.id not in imports:
            yield from ((star, node.id) for star in module.stars | {star for star, _ in local.get(_WHOLE, ())})


def _through_module(folder: Path, module_name: str, attributes: list[str]) -> Iterator[tuple[str, str]]:
    """``package.module.name`` as (module, name), going down as long as the parts are files."""
    while attributes and _path(folder, f"{module_name}.{attributes[0]}") is not None:
        module_name, attributes = f"{module_name}.{attributes[0]}", attributes[1:]
    yield module_name, attributes[0] if attributes else _WHOLE


def _nodes(statement: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a statement, and those of the expressions that stand as strings in its annotations."""
    for node in ast.walk(statement):
        yield node
        for name in ("annotation", "returns"):
            if (annotation := getattr(node, name, None)) is not None:
                yield from _in_strings(annotation)


def _in_strings(annotation: ast.AST) -> Iterator[ast.AST]:
    if isinstance(annotation, ast.Subscript) and dotted(annotation.value)[-1:] == ["Literal"]:
        return
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str):
        try:
            yield from ast.walk(ast.parse(annotation.value.strip(), mode="eval"))
        except (SyntaxError, ValueError):  # a string that is no expression, such as the text of an Annotated
            return
    for child in ast.iter_child_nodes(annotation):
        yield from _in_strings(child)


@cache
def _module(folder: Path, name: str) -> _Module | None:
    path = _path(folder, name)
    if path is None:
        return None
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    module = _Module(name, path.name == "__init__.py")
    module.named = {node.id for node in _nodes(tree) if isinstance(node, ast.Name)}
    decorated = []
    for statement in _top_level(tree.body):
        names, is_plain = _defined(statement)
        for defined in names:
            module.definitions.setdefault(defined, []).append(statement)
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            decorated.append(statement)
            continue
        if not isinstance(statement, ast.Import | ast.ImportFrom) and not is_plain:
            module.loose.append(statement)
        if not is_plain:
            for alias, targets in _imports(folder, module, statement).items():
                module.imports.setdefault(alias, set()).update(targets)
    module.loose += [statement for statement in decorated if _is_registered(folder, module, statement)]
    return module


def _top_level(statements: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run on import, and those that a type checker sees."""
    for statement in statements:
        if isinstance(statement, ast.If) and _is_main(statement.test):
            yield from _top_level(statement.orelse)
        elif isinstance(statement, ast.If) and dotted(statement.test)[-1:] == ["TYPE_CHECKING"]:
            yield from _top_level([*statement.body, *statement.orelse])
        else:
            yield statement


def _is_main(test: ast.expr) -> bool:
    return ast.unparse(test) in {"__name__ == '__main__'", "'__main__' == __name__"}


def _is_registered(
    folder: Path, module: _Module, statement: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
) -> bool:
    """Whether a decorator is the project's own, which may keep what it decorates."""
    names = {node.id for each in statement.decorator_list for node in ast.walk(each) if isinstance(node, ast.Name)}
    targets = {target for name in names for target in module.imports.get(name, ()) if not _is_neutral(*target)}
    return bool(names & module.definitions.keys()) or any(_path(folder, target) for target, _ in targets)


def _defined(statement: ast.stmt) -> tuple[list[str], bool]:
    """The names that a definition binds, and whether it does nothing else."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name], True
    if isinstance(statement, ast.Assign | ast.AnnAssign | ast.AugAssign):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        nodes = [node for target in targets for node in ast.walk(target)]
        names = [node.id for node in nodes if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
        return names, not any(isinstance(node, ast.Attribute | ast.Subscript) for node in nodes)
    return [], False


def _imports(folder: Path, module: _Module, statement: ast.stmt) -> _Imports:
    """Names bound by the imports within a statement."""
    found: _Imports = {}
    for node in ast.walk(statement):
        if isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                found.setdefault(alias.asname or top, set()).add((alias.name if alias.asname else top, _WHOLE))
        elif isinstance(node, ast.ImportFrom) and node.module != "__future__":
            base = _absolute(module, node)
            for alias in node.names:
                inner = f"{base}.{alias.name}" if base else alias.name
                is_module = alias.name != _WHOLE and (not base or _path(folder, inner) is not None)
                target = (inner, _WHOLE) if is_module else (base, alias.name)
                found.setdefault(alias.asname or alias.name, set()).add(target)
    return found


def _absolute(module: _Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    parts = parts[: len(parts) - node.level + (1 if module.is_package else 0)]
    return ".".join([*parts, *([node.module] if node.module else [])])


@cache
def _path(folder: Path, name: str) -> Path | None:
    stem = folder.joinpath(*name.split("."))
    return next((path for path in (stem.with_suffix(".py"), stem / "__init__.py") if path.is_file()), None)


def _root(node: ast.AST) -> ast.AST:
    while isinstance(node, ast.Attribute):
        node = node.value
    return node
