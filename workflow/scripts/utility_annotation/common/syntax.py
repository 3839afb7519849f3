"""The normal form of a statement: what it does, without the words that only a person reads.

The form is the same under every Python from 3.10 on. It is the syntax tree, written out node by node: the type of the
node, then its fields by name. Positions, contexts, empty fields and the spelling of constants leave no trace.

The words that a person reads leave no trace either:

- A statement that is nothing but a constant, such as a docstring. ``pass`` goes with it.
- The strings in the arguments of the call that a ``raise`` raises, and in the message of an ``assert``.
- The strings in the arguments of a log line: a statement that calls ``warnings.warn``, a logger's ``debug``, ``info``,
  ``warning``, ``error``, ``exception`` or ``critical``, or ``print``. A ``print`` to a ``file`` is logic, save to
  ``sys.stderr``. A logger is what is named ``log``, ``logger`` or ``logging``, in any case and with any underscores
  around it, and what ``getLogger`` returns.
- The keywords ``description``, ``title`` and ``examples`` of ``Field``, and ``help``, ``description``, ``epilog``,
  ``metavar`` and ``prog`` of argparse's calls. Such a keyword goes altogether if it names nothing.

One rule says which strings of these expressions are words. A string is a word where it stands itself or as a part of an
f-string (with its conversions and format specifications), of ``+`` and ``%``, of ``join`` and ``format`` on a literal,
of ``a if c else b``, of ``and`` and ``or``, or of a list, a tuple or the items of a comprehension. Everywhere else it
is logic: in the arguments of any other call, in an index, a comparison, a condition or a dictionary. What is not a
string is always logic: numbers, names, attributes and calls stay, in their order. So does the type of an exception.

The rule goes by the form alone. It does not know where a handler reads the words of an error, or a script ``__doc__``.
Words that are put together beforehand, returned or yielded are logic.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable
from typing import Any

_LEFT_OUT = frozenset({"ctx", "kind", "type_comment", "type_ignores"})
"""Fields that say nothing, or not the same in every version."""

_LOG_METHODS = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
_LOG_NAMES = frozenset({"log", "logger", "logging"})

_FIELD_WORDS = frozenset({"description", "title", "examples"})
_ARGPARSE_WORDS = frozenset({"help", "description", "epilog", "metavar", "prog"})
_KEYWORD_WORDS = {
    "Field": _FIELD_WORDS,
    "ArgumentParser": _ARGPARSE_WORDS,
    "add_argument": _ARGPARSE_WORDS,
    "add_argument_group": _ARGPARSE_WORDS,
    "add_parser": _ARGPARSE_WORDS,
    "add_subparsers": _ARGPARSE_WORDS,
}
"""By the last name of what is called: the keywords that hold words."""


def normal_form(statement: ast.stmt) -> str:
    """What a statement does, as text: equal for two statements that differ only in words and in formatting."""
    return "" if _is_idle(statement) else _form(statement)


def dotted(node: ast.AST) -> list[str]:
    """The parts of ``a.b.c``; none for any other expression."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        return [*prefix, node.attr] if (prefix := dotted(node.value)) else []
    return []


def _form(value: object) -> str:
    if isinstance(value, ast.AST):
        special = _SPECIAL.get(type(value).__name__)
        return special(value) if special else _node(value)
    if isinstance(value, list):
        return _list(map(_form, value))
    return _constant(value)


def _list(forms: Iterable[str]) -> str:
    return f"[{','.join(forms)}]"


def _node(node: ast.AST, **forms: str) -> str:
    """A node's type and its fields; ``forms`` are those of some fields, and an empty one leaves its field out."""
    parts = []
    for name in sorted(node._fields):
        value = getattr(node, name, None)
        if isinstance(value, list):
            value = [item for item in value if not _is_idle(item)]
        if name in _LEFT_OUT or value is None or value == []:
            continue
        if form := forms[name] if name in forms else _form(value):
            parts.append(f"{name}={form}")
    return f"{type(node).__name__}({','.join(parts)})"


def _is_idle(node: object) -> bool:
    return isinstance(node, ast.Pass) or (isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant))


def _constant(value: object) -> str:
    """A constant's type and value. No version's own way to write it matters, nor the characters that it knows."""
    if value is None or value is ... or isinstance(value, bool):
        text = repr(value)
    elif isinstance(value, str):
        text = ascii(value)
    elif isinstance(value, bytes | float):
        text = value.hex()
    elif isinstance(value, int):
        text = hex(value)  # a decimal of thousands of digits is refused by some versions
    elif isinstance(value, complex):
        text = f"{value.real.hex()},{value.imag.hex()}"
    else:
        raise TypeError(f"no literal is of the type {type(value).__name__}")
    return f"{type(value).__name__}:{text}"


def _constant_node(node: ast.Constant) -> str:
    return _constant(node.value)


def _parts(values: Iterable[ast.expr]) -> list[ast.expr | str]:
    """An f-string's parts: neighbouring strings in one, no empty ones, and the f-strings within it taken apart."""
    parts: list[ast.expr | str] = []
    for value in values:
        inner: list[ast.expr | str] = [value]
        if isinstance(value, ast.Constant) and isinstance(value.value, str):
            inner = [value.value]
        elif isinstance(value, ast.JoinedStr):
            inner = _parts(value.values)
        for part in inner:
            if isinstance(part, str) and parts and isinstance(parts[-1], str):
                parts[-1] += part
            elif part != "":
                parts.append(part)
    return parts


def _f_string(node: ast.JoinedStr) -> str:
    parts = _parts(node.values)
    if all(isinstance(part, str) for part in parts):
        return _constant("".join(map(str, parts)))
    return f"JoinedStr({_list(map(_form, parts))})"


def _template(node: Any) -> str:
    return f"TemplateStr({_list(map(_form, _parts(node.values)))})"


def _placeholder(node: Any) -> str:
    """``{value!r:spec}`` of an f-string or a template. An empty specification is none."""
    spec = "" if node.format_spec is None else _form(node.format_spec)
    return _node(node, format_spec="" if spec == _constant("") else spec)


def _call(node: ast.Call) -> str:
    words = _KEYWORD_WORDS.get(_last_name(node.func), frozenset())
    keywords = [
        _node(keyword, value=_words(keyword.value)) if keyword.arg in words else _form(keyword)
        for keyword in node.keywords
        if keyword.arg not in words or _names_something(keyword.value)
    ]
    return _node(node, keywords=_list(keywords) if keywords else "")


def _last_name(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _names_something(node: ast.expr) -> bool:
    return any(isinstance(child, ast.Name) and child.id != "__doc__" for child in ast.walk(node))


def _raise(node: ast.Raise) -> str:
    return _node(node, exc=_spoken_call(node.exc)) if isinstance(node.exc, ast.Call) else _node(node)


def _assert(node: ast.Assert) -> str:
    return _node(node, msg=_words(node.msg) if node.msg is not None and _said(node.msg) else "")


def _expression(node: ast.Expr) -> str:
    call = node.value
    return _node(node, value=_spoken_call(call)) if isinstance(call, ast.Call) and _is_log_line(call) else _node(node)


def _is_log_line(call: ast.Call) -> bool:
    function = dotted(call.func)
    if function == ["print"]:
        return all(
            keyword.arg is not None and (keyword.arg != "file" or dotted(keyword.value) == ["sys", "stderr"])
            for keyword in call.keywords
        )
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in _LOG_METHODS:
        return function == ["warnings", "warn"]
    receiver = call.func.value
    if isinstance(receiver, ast.Call):
        return _last_name(receiver.func) == "getLogger"
    return _last_name(receiver).strip("_").lower() in _LOG_NAMES


def _spoken_call(call: ast.Call) -> str:
    """A call whose arguments are for a person to read."""
    keywords = [_node(keyword, value=_words(keyword.value)) for keyword in call.keywords]
    return _node(call, args=_list(map(_words, call.args)), keywords=_list(keywords))


def _words(node: ast.expr) -> str:
    """An expression that a person reads: what is left of it without its words."""
    return f"Words({','.join(_said(node))})"


def _said(node: ast.expr) -> list[str]:
    """The forms of what is no word in an expression that a person reads."""
    if _is_text(node) or (isinstance(node, ast.Name) and node.id == "__doc__"):
        return [form for part in _pieces(node) for form in _said(part)]
    if isinstance(node, ast.IfExp):
        return [_node(node, body=_words(node.body), orelse=_words(node.orelse))]
    if isinstance(node, ast.BoolOp):
        return [_node(node, values=_list(map(_words, node.values)))]
    if isinstance(node, ast.List | ast.Tuple):
        return [_node(node, elts=_list(map(_words, node.elts)))]
    if isinstance(node, ast.ListComp | ast.GeneratorExp):
        return [_node(node, elt=_words(node.elt))]
    if isinstance(node, ast.Starred):
        return [_node(node, value=_words(node.value))]
    return [_form(node)]


def _is_text(node: ast.expr) -> bool:
    """Whether an expression is a string by its form: a literal, or put together from one."""
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, ast.Add | ast.Mod) and (
            _is_text(node.left) or (isinstance(node.op, ast.Add) and _is_text(node.right))
        )
    if isinstance(node, ast.Call):
        method = node.func
        return isinstance(method, ast.Attribute) and method.attr in {"join", "format"} and _is_text(method.value)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


def _pieces(node: ast.expr) -> list[ast.expr]:
    """The expressions from which a text is put together."""
    if isinstance(node, ast.BinOp):
        values = isinstance(node.op, ast.Mod) and isinstance(node.right, ast.Tuple)
        return [node.left, *(node.right.elts if values and isinstance(node.right, ast.Tuple) else [node.right])]
    if isinstance(node, ast.Call):
        text = node.func.value if isinstance(node.func, ast.Attribute) else node.func
        return [text, *node.args, *(keyword.value for keyword in node.keywords)]
    if isinstance(node, ast.JoinedStr):
        pieces: list[ast.expr] = []
        for part in node.values:
            if isinstance(part, ast.FormattedValue):
                pieces += [part.value, *([part.format_spec] if part.format_spec else [])]
            else:
                pieces.append(part)
        return pieces
    return []


_SPECIAL: dict[str, Callable[[Any], str]] = {
    "Assert": _assert,
    "Call": _call,
    "Constant": _constant_node,
    "Expr": _expression,
    "FormattedValue": _placeholder,
    "Interpolation": _placeholder,
    "JoinedStr": _f_string,
    "Raise": _raise,
    "TemplateStr": _template,
}
