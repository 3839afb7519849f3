"""The digest of the code that a script reaches: what changes it and what must not."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from utility_annotation.common import code_digest as staleness
from utility_annotation.common.code_digest import code_digest
from utility_annotation.common.syntax import normal_form

FIXTURES = Path(__file__).parents[1] / "fixtures" / "staleness"
KNOWN = {
    "run.py": ((3, 10), "992ad297f59e0543"),
    "since_3_11.py": ((3, 11), "a2c3b3a4d735eb10"),
    "since_3_12.py": ((3, 12), "beef763e7d142446"),
}
"""The first Python that parses the file, and the digest under that one and every later one."""

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


def _digest(folder: Path, text: str, function: str | None = None, **modules: str) -> str:
    """The digest of a script with this text, beside modules of these names and texts."""
    for name, content in {"script": text, **modules}.items():
        path = folder / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(textwrap.dedent(content))
    staleness.forget()
    return code_digest(folder / "script.py", function)


WORDS = {
    "comment": ("x = 1", "x = 1  # why"),
    "formatting": ("x = [1, 'a', 0x10, 1e3]", 'x = [\n    (1),\n    "a",\n    16,\n    1000.0,\n]'),
    "module docstring": ("", "'Doc.'"),
    "function docstring": ("def f():\n    'a'\n    return 1", "def f():\n    return 1"),
    "docstring for a body": ("class E(Exception):\n    'a'", "class E(Exception):\n    pass"),
    "attribute docstring": ("class C:\n    a: int = 1\n    'a'", "class C:\n    a: int = 1\n    'b'"),
    "constant docstring": ("A = 1\n'a'", "A = 1\n'b'"),
    "order": ("def f(): return 1\ndef g(): return 2", "def g(): return 2\ndef f(): return 1"),
    "error": ("raise E('a')", "raise E('b')"),
    "error keyword": ("raise E('a', mend='b', path='c')", "raise E('x', mend='y', path='z')"),
    "error f-string": ("raise E(f'a {x!r:>3} b')", "raise E(f'c {x}')"),
    "error of one part": ("raise E('a')", "raise E('a' 'b' f'c')"),
    "error sum": ("raise E('a' + x + 'b')", "raise E('c' + x)"),
    "error join": ("raise E(f'a {\", \".join(x)}')", "raise E(f'{\"; \".join(x)} b')"),
    "error join of a generator": ("raise E(', '.join(f'a {y}' for y in x))", "raise E('; '.join(f'{y} b' for y in x))"),
    "error format": ("raise E('a {} {y}'.format(x, y=y))", "raise E('b {y} {}'.format(x, y=y))"),
    "error percent": ("raise E('a %s %d' % (x, y))", "raise E('%d b %d' % (x, y))"),
    "error choice": ("raise E(f\"{'a' if x else 'b'} c\")", "raise E(f\"{'x' if x else 'y'} z\")"),
    "error or": ("raise E(x or 'a')", "raise E(x or 'b')"),
    "error from": ("raise E('a') from e", "raise E('b') from e"),
    "error helper": ("raise refusal(x, 'a')", "raise refusal(x, 'b')"),
    "assert": ("assert x, 'a'", "assert x, f'b'"),
    "assert without words": ("assert x, 'a'", "assert x"),
    "print": ("print(f'a {x}', sep='a')", "print(f'b {x}', sep='b')"),
    "print to stderr": ("print('a', file=sys.stderr)", "print('b', file=sys.stderr)"),
    "warnings": ("warnings.warn('a', UserWarning)", "warnings.warn('b', UserWarning)"),
    "log": ("log.debug('a %s', x)", "log.debug('b %s', x)"),
    "logging": ("logging.error('a')", "logging.error('b')"),
    "a logger": ("self._logger.critical('a')", "self._logger.critical('b')"),
    "LOG": ("_LOG.exception('a')", "_LOG.exception('b')"),
    "getLogger": ("logging.getLogger('x').info('a')", "logging.getLogger('x').info('b')"),
    "field": ("x = Field(1, description='a', title='b', examples=['c'])", "x = Field(1, description='d')"),
    "field without words": ("x = Annotated[int, Field(ge=0)]", "x = Annotated[int, Field(ge=0, title='a')]"),
    "help": ("p.add_argument('--a', help='a', metavar='A')", "p.add_argument('--a', help='b')"),
    "metavars": ("p.add_argument('--a', metavar=('A', 'B'))", "p.add_argument('--a', metavar=('C', 'D'))"),
    "parser": ("p = argparse.ArgumentParser(prog='a', epilog='b')", "p = argparse.ArgumentParser(description='c')"),
    "parser's docstring": ("ArgumentParser(description=__doc__)", "ArgumentParser(description='a')"),
    "subparser": ("s.add_parser('a', help='a')", "s.add_parser('a', help='b')"),
    "subparsers": ("p.add_subparsers(dest='a', help='a')", "p.add_subparsers(dest='a', help='b')"),
    "group": ("p.add_argument_group('a', description='a')", "p.add_argument_group('a', description='b')"),
    "main block": ("if __name__ == '__main__':\n    f('a')", "if '__main__' == __name__:\n    g('b')"),
    "string kind": ("x = u'a'", "x = 'a'"),
    "f-string parts": ("x = f'a' f'{y}' 'b' f'c'", "x = f'a{y}bc'"),
    "f-string of no value": ("x = f'a'", "x = 'a'"),
    "empty specification": ("x = f'{y:}'", "x = f'{y}'"),
}
"""Pairs that differ only in what a person reads, or in formatting."""

LOGIC = {
    "return": ("def f():\n    return 'a'", "def f():\n    return 'b'"),
    "yield": ("def f():\n    yield f'{x}: a'", "def f():\n    yield f'{x}: b'"),
    "dictionary key": ("x = {'a': 1}", "x = {'b': 1}"),
    "comparison": ("x = y == 'a'", "x = y == 'b'"),
    "operator": ("x = y < 1", "x = y <= 1"),
    "number": ("x = 1", "x = 2"),
    "type of a number": ("x = 1", "x = 1.0"),
    "truth": ("x = 1", "x = True"),
    "sign of zero": ("x = 0.0", "x = -0.0"),
    "bytes": ("x = b'a'", "x = 'a'"),
    "ellipsis": ("x = ...", "x = 'Ellipsis'"),
    "f-string": ("x = f'a{y}'", "x = f'b{y}'"),
    "conversion": ("x = f'{y!r}'", "x = f'{y}'"),
    "specification": ("x = f'{y:>3}'", "x = f'{y:>4}'"),
    "default": ("def f(a='a'): return a", "def f(a='b'): return a"),
    "keyword default": ("def f(*, a, b=1): 0", "def f(*, a=1, b): 0"),
    "annotation": ("def f(a: int): return a", "def f(a: str): return a"),
    "result annotation": ("def f() -> int: return a", "def f() -> str: return a"),
    "field annotation": ("class C:\n    a: int", "class C:\n    a: str"),
    "decorator": ("@a\ndef f(): return 1", "def f(): return 1"),
    "decorator argument": ("@a('x')\ndef f(): return 1", "@a('y')\ndef f(): return 1"),
    "base": ("class C(A):\n    a = 1", "class C(B):\n    a = 1"),
    "class keyword": ("class C(A, frozen=True):\n    a = 1", "class C(A):\n    a = 1"),
    "error type": ("raise E('a')", "raise F('a')"),
    "error condition": ("if x > 1: raise E('a')", "if x > 2: raise E('a')"),
    "error cause": ("raise E('a') from e", "raise E('a') from None"),
    "error value": ("raise E(f'a {x}')", "raise E(f'a {y}')"),
    "error number": ("raise SystemExit(1)", "raise SystemExit(2)"),
    "error call": ("raise E(f'{render(\"a\")}')", "raise E(f'{render(\"b\")}')"),
    "error index": ("raise E(x['a'])", "raise E(x['b'])"),
    "error choice": ("raise E('a' if x else 'b')", "raise E('a' if y else 'b')"),
    "error comparison": ("raise E('a' if x == 'a' else 'b')", "raise E('a' if x == 'b' else 'b')"),
    "error arithmetic": ("raise E(line=x + 1)", "raise E(line=x - 1)"),
    "error helper": ("raise refusal(x, 'a')", "raise other(x, 'a')"),
    "error made elsewhere": ("e = E('a')", "e = E('b')"),
    "assert condition": ("assert x == 'a', 'a'", "assert x == 'b', 'a'"),
    "print to a file": ("print('a', file=f)", "print('b', file=f)"),
    "print to what is unpacked": ("print('a', **f)", "print('b', **f)"),
    "print elsewhere": ("print('a', file=sys.stderr)", "print('a', file=f)"),
    "print value": ("print(f'a {x}')", "print(f'a {y}')"),
    "print of a call": ("print(f('a'))", "print(f('b'))"),
    "call": ("f('a')", "f('b')"),
    "write": ("file.write('a')", "file.write('b')"),
    "value of a log line": ("x = logger.info('a')", "x = logger.info('b')"),
    "another receiver": ("report.info('a')", "report.info('b')"),
    "another method": ("log.add('a')", "log.add('b')"),
    "log value": ("log.info('a', x)", "log.info('a', y)"),
    "category": ("warnings.warn('a', A)", "warnings.warn('a', B)"),
    "field default": ("x = Field('a')", "x = Field('b')"),
    "field pattern": ("x = Field(pattern='a')", "x = Field(pattern='b')"),
    "field alias": ("x = Field(alias='a')", "x = Field(alias='b')"),
    "another call's title": ("x = draw(title='a')", "x = draw(title='b')"),
    "flag": ("p.add_argument('--a')", "p.add_argument('--b')"),
    "type": ("p.add_argument('--a', type=int)", "p.add_argument('--a', type=str)"),
    "argument default": ("p.add_argument('--a', default='a')", "p.add_argument('--a', default='b')"),
    "choices": ("p.add_argument('--a', choices=['a'])", "p.add_argument('--a', choices=['b'])"),
    "dest": ("p.add_argument('--a', dest='a')", "p.add_argument('--a', dest='b')"),
    "nargs": ("p.add_argument('--a', nargs='+')", "p.add_argument('--a', nargs='*')"),
    "help from a call": ("p.add_argument('--a', help=f('a'))", "p.add_argument('--a', help=f('b'))"),
    "subcommand": ("s.add_parser('a')", "s.add_parser('b')"),
    "beside the main block": (
        "if __name__ == '__main__':\n    f()\nelse:\n    g()",
        "if __name__ == '__main__':\n    f()\nelse:\n    h()",
    ),
    "another if": ("if __name__ == 'a':\n    f()", "if __name__ == 'a':\n    g()"),
    "definition in an if": ("if x:\n    def f(): return 1", "if x:\n    def f(): return 2"),
    "definition in a try": ("try:\n    a = 1\nexcept E: a = 2", "try:\n    a = 1\nexcept E: a = 3"),
    "definition in a with": ("with x as y:\n    a = 1", "with x as y:\n    a = 2"),
    "definition in a for": ("for x in y:\n    a = 1", "for x in y:\n    a = 2"),
    "walrus": ("(a := 1)", "(a := 2)"),
    "match": (
        "match x:\n    case {'a': True}: y = 1",
        "match x:\n    case {'a': None}: y = 1",
    ),
    "what an import stands for": ("from math import floor as f\nx = f(1)", "from math import ceil as f\nx = f(1)"),
    "which module an import stands for": ("import numpy as n\nx = n.a", "import jax.numpy as n\nx = n.a"),
}
"""Pairs that differ in what they do."""


@pytest.mark.parametrize("what", WORDS)
def test_words_do_not_count(tmp_path: Path, what: str) -> None:
    before, after = WORDS[what]
    assert before != after
    assert _digest(tmp_path, before) == _digest(tmp_path, after)


@pytest.mark.parametrize("what", LOGIC)
def test_logic_counts(tmp_path: Path, what: str) -> None:
    before, after = LOGIC[what]
    assert _digest(tmp_path, before) != _digest(tmp_path, after)


def test_a_function_that_an_error_calls_counts(tmp_path: Path) -> None:
    script = "from library import words\ndef f(x):\n    raise ValueError(f'it is {words(x)}')"
    before = _digest(tmp_path, script, library="def words(x): return x")
    assert _digest(tmp_path, script, library="def words(x): return x + 1") != before


LIBRARY = "def used(x):\n    return 1\ndef unused(x):\n    return 2\n"

REACHED = {
    "from": ("from library import used\nx = used()", ""),
    "star": ("from library import *\nx = used()", ""),
    "star in a function": ("def f():\n    y = used()\nfrom library import *", ""),
    "star of a star": ("from between import *\nx = used()", "from library import *"),
    "re-exported by a star": ("from between import used\nx = used()", "from library import *"),
    "re-exported": ("from between import used\nx = used()", "from library import used"),
    "module": ("import library\nx = library.used()", ""),
    "module's other name": ("import library as other\nx = other.used()", ""),
    "in a function": ("def f():\n    from library import used\n    return used()", ""),
    "in a string annotation": ("from library import used\nx: 'list[used] | None' = None", ""),
    "in a parameter's string": ("import library\ndef f(x: list['library.used']): return x", ""),
    "in a result's string": ("from library import used\ndef f() -> 'used': return 1", ""),
    "type checking": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from library import used\nx: used = 1",
        "",
    ),
    "type checking by its module": (
        "import typing\nif typing.TYPE_CHECKING:\n    from library import used\ndef f(x: 'used'): return x",
        "",
    ),
    "first choice": (
        "try:\n    from library import used as a\nexcept ImportError:\n    from between import a\nx = a()",
        "def a(): return 1",
    ),
    "fallback": (
        "try:\n    from between import a\nexcept ImportError:\n    from library import used as a\nx = a()",
        "def a(): return 1",
    ),
    "unpacked": ("from library import used\na, (b, *c) = used(), [1, 2]\n", ""),
    "patched module": ("import library\nlibrary.x = 1\ny = library.used()", ""),
    "default": ("from library import used\ndef f(x=used): return x", ""),
    "base": ("from library import used\nclass C(used):\n    x = 1", ""),
    "decorator": ("from library import used\n@used\ndef f(): return 1", ""),
    "for": ("from library import used\nfor x in used(1):\n    y = x", ""),
    "with": ("from library import used\nwith used(1) as x:\n    y = x", ""),
}
"""Scripts that reach ``used`` of the library, and nothing else of it; a module that may stand between them."""


@pytest.mark.parametrize("how", REACHED)
def test_exactly_what_is_named_is_reached(tmp_path: Path, how: str) -> None:
    script, between = REACHED[how]
    before = _digest(tmp_path, script, library=LIBRARY, between=between)
    assert _digest(tmp_path, script, library=LIBRARY.replace("1", "3"), between=between) != before
    assert _digest(tmp_path, script, library=LIBRARY.replace("2", "3"), between=between) == before


@pytest.mark.parametrize(
    "script",
    [
        "import package.part as part\nx = part.used()",
        "import package.part\nx = package.part.used()",
        "from package import part\nx = part.used()",
        "from package.sibling import used\nx = used()",
    ],
)
def test_modules_of_packages_are_reached(tmp_path: Path, script: str) -> None:
    package = {"package/__init__": "", "package/sibling": "from . import part\nfrom .part import used"}
    before = _digest(tmp_path, script, **package, **{"package/part": LIBRARY})
    assert _digest(tmp_path, script, **package, **{"package/part": LIBRARY.replace("1", "3")}) != before
    assert _digest(tmp_path, script, **package, **{"package/part": LIBRARY.replace("2", "3")}) == before


@pytest.mark.parametrize(
    ("script", "package"),
    [
        ("import package\nx = vars(package)", "from .part import used"),
        ("import package\nx = package.inner.used()", "from . import part as inner"),
        ("from package import sibling\nx = sibling.part.used()", ""),
    ],
)
def test_what_a_package_exports_is_reached(tmp_path: Path, script: str, package: str) -> None:
    modules = {"package/__init__": package, "package/sibling": "from . import part"}
    before = _digest(tmp_path, script, **modules, **{"package/part": LIBRARY})
    assert _digest(tmp_path, script, **modules, **{"package/part": LIBRARY.replace("1", "3")}) != before


@pytest.mark.parametrize(
    ("script", "library"),
    [
        ("import library", "f(1)"),
        ("from library import *", "f(1)"),
        ("def f():\n    import library", "f(1)"),
        ("from library import x\ny = x", "if a:\n    x = 1"),
        ("from library import x\ny = x", "x, b.c = 1, 2"),
        ("from library import x\ny = x", "x, z = 1, 2"),
        ("from library import x\ny = x", "x = {}\nx['a'] = 1"),
        ("from library import x\ny = x", "x = {}\nx.update(a=1)"),
        ("from library import x\ny = x", "x = {}\nfrom functools import cache\ndef r(f): x[f] = 0\n@r\ndef g(): 1 + f"),
    ],
)
def test_what_runs_on_import_counts(tmp_path: Path, script: str, library: str) -> None:
    before = _digest(tmp_path, script, library=library)
    assert _digest(tmp_path, script, library=library.replace("1", "3")) != before


def test_names_that_two_imports_exchange_count(tmp_path: Path) -> None:
    script = "from library import used as a, unused as b\ndef f(): return a(b)"
    exchanged = "from library import used as b, unused as a\ndef f(): return a(b)"
    assert _digest(tmp_path, script, library=LIBRARY) != _digest(tmp_path, exchanged, library=LIBRARY)


SUBCOMMANDS = """
    import argparse
    from library import used, unused
    LIMIT = 5
    def shared():
        return LIMIT
    def first():
        return used(shared())
    def second():
        return unused(2)
    loose(1)
    if __name__ == "__main__":
        {"first": first, "second": second}["first"]()
"""


@pytest.mark.parametrize(
    ("before", "after", "stale"),
    [
        ("LIMIT = 5", "LIMIT = 6", {"first"}),
        ("used(shared())", "used(shared(1))", {"first"}),
        ("unused(2)", "unused(3)", {"second"}),
        ("loose(1)", "loose(2)", {"first", "second"}),
        ('["first"]()', '["second"]()', set()),
    ],
)
def test_a_function_of_a_script_has_its_own_digest(tmp_path: Path, before: str, after: str, stale: set[str]) -> None:
    old = {name: _digest(tmp_path, SUBCOMMANDS, name, library=LIBRARY) for name in ("first", "second")}
    assert old["first"] != old["second"]
    changed = SUBCOMMANDS.replace(before, after)
    assert {name for name in old if _digest(tmp_path, changed, name, library=LIBRARY) != old[name]} == stale


def test_a_function_that_the_script_lacks_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="third"):
        _digest(tmp_path, SUBCOMMANDS, "third", library=LIBRARY)


@pytest.mark.parametrize("file", KNOWN)
def test_known_digests(file: str) -> None:
    since, digest = KNOWN[file]
    if sys.version_info < since:
        pytest.skip(f"{file} needs Python {since}")
    assert code_digest(FIXTURES / file) == digest


def test_reformatting_does_not_count(root: Path) -> None:
    for path in [*(root / "workflow" / "scripts").rglob("*.py"), FIXTURES / "run.py"]:
        tree = ast.parse(path.read_text())
        again = ast.parse(ast.unparse(tree))
        assert list(map(normal_form, tree.body)) == list(map(normal_form, again.body)), path


CONSTANTS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(min_value=0, allow_infinity=False),
    st.text(st.characters()),
    st.binary(),
)


def _literal(value: object) -> str:
    [statement] = ast.parse(f"x = {value!r}").body
    return normal_form(statement)


@given(CONSTANTS, CONSTANTS)
def test_constants_are_told_apart(one: object, other: object) -> None:
    assume(type(one) is not type(other) or one != other)
    assert _literal(one) != _literal(other)


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=5), max_size=5))
def test_how_an_f_string_is_put_together_does_not_count(parts: list[str]) -> None:
    escaped = [ascii(part.replace("{", "{{").replace("}", "}}") + '"')[1:-1] for part in parts]  # quoted by '
    pieces = "".join(f" f'{text}' '' f'{{y}}'" for text in escaped)
    whole = "".join(f"{text}{{y}}" for text in escaped)
    [one], [other] = ast.parse(f"x = f''{pieces}").body, ast.parse(f"x = f'{whole}'").body
    assert normal_form(one) == normal_form(other)


@pytest.mark.skipif(sys.version_info < (3, 14), reason="templates are of Python 3.14")
def test_templates_count() -> None:
    forms = [normal_form(ast.parse(text).body[0]) for text in ("t'a{x}'", "t'a' t'{x}'", "t'b{x}'", "f'a{x}'", "'a'")]
    assert forms[0] == forms[1]
    assert len(set(forms[1:])) == 4


LOADER = """
import importlib.util, json, sys, types
from pathlib import Path
folder, *scripts = map(Path, sys.argv[1:])
for name, place in (("utility_annotation", folder), ("utility_annotation.common", folder / "common")):
    package = types.ModuleType(name)
    package.__path__ = [str(place)]
    sys.modules[name] = package
spec = importlib.util.spec_from_file_location(
    "utility_annotation.common.code_digest", folder / "common" / "code_digest.py"
)
staleness = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = staleness
spec.loader.exec_module(staleness)
digests = {}
for script in scripts:
    try:
        digests[str(script)] = staleness.code_digest(script)
    except SyntaxError:
        digests[str(script)] = None
print(json.dumps(digests))
"""
"""Loads the module by its path, with nothing but the standard library."""


def _interpreter(version: str) -> str | None:
    """A Python of this version that starts, if there is one."""
    installed = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python{version}"))
    for candidate in [*map(str, installed), shutil.which(f"python{version}")]:
        if candidate and subprocess.run([candidate, "-I", "-c", ""], capture_output=True).returncode == 0:
            return candidate
    return None


@pytest.mark.process
@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12", "3.13", "3.14"])
def test_every_python_finds_the_same_digests(root: Path, version: str) -> None:
    interpreter = _interpreter(version)
    if interpreter is None:
        pytest.skip(f"there is no Python {version} here")
    scripts = root / "workflow" / "scripts"
    asked = [*sorted(scripts.glob("*.py")), *(FIXTURES / file for file in KNOWN)]
    command = [interpreter, "-I", "-B", "-c", LOADER, str(scripts / "utility_annotation"), *map(str, asked)]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    release = tuple(map(int, version.split(".")))
    expected = {str(script): code_digest(script) for script in sorted(scripts.glob("*.py"))} | {
        str(FIXTURES / file): digest if release >= since else None for file, (since, digest) in KNOWN.items()
    }
    if release < (3, 11):  # some of the scripts are written for 3.11
        expected = {script: digest if found[script] else None for script, digest in expected.items()}
        assert found[str(FIXTURES / "run.py")]
    assert found == expected


TABLE = """
from .losses.pairs import loss, other
class Loss:
    def __init__(self, run, words="", scale=1):
        self.run = run
TABLE = {
    "pairs": Loss(run=loss, words="Of pairs.", scale=2),
    "others": Loss(run=other),
}
def chosen(name):
    return TABLE[name].run
"""


@pytest.fixture
def table(tree: Path) -> Path:
    (tree / "utility_annotation" / "table.py").write_text(TABLE)
    (tree / "fit.py").write_text(
        "from utility_annotation.table import chosen\ndef main(name):\n    return chosen(name)\n"
    )
    return tree


@pytest.mark.parametrize(
    ("entry", "before", "after", "stale"),
    [
        ("TABLE[pairs]", "scale=2", "scale=3", True),
        ("TABLE[pairs]", "run=other", "run=loss", False),
        ("TABLE[others]", "run=other", "run=loss", True),
        ("TABLE[pairs].run", "scale=2", "scale=3", False),
        ("TABLE[pairs].run", "run=loss", "run=other", True),
        ("TABLE[pairs].scale", "scale=2", "scale=3", True),
        ("TABLE[others].scale", "run=other", "run=other, scale=1", True),
        ("TABLE[pairs].run", "TABLE[name].run", "TABLE[name]", True),
    ],
)
def test_of_a_table_only_the_named_entries_count(table: Path, entry: str, before: str, after: str, stale: bool) -> None:
    entries = (f"utility_annotation.table:{entry}",)
    old = code_digest(table / "fit.py", entries=entries)
    path = table / "utility_annotation" / "table.py"
    path.write_text(path.read_text().replace(before, after))
    staleness.forget()
    assert (code_digest(table / "fit.py", entries=entries) != old) is stale


def test_what_an_entry_reaches_counts(table: Path) -> None:
    entries = {name: (f"utility_annotation.table:TABLE[{name}].run",) for name in ("pairs", "others")}
    old = {name: code_digest(table / "fit.py", entries=entry) for name, entry in entries.items()}
    path = table / "utility_annotation" / "losses" / "pairs.py"
    path.write_text(path.read_text().replace("def other(x):\n    return x", "def other(x):\n    return -x"))
    staleness.forget()
    assert code_digest(table / "fit.py", entries=entries["pairs"]) == old["pairs"]
    assert code_digest(table / "fit.py", entries=entries["others"]) != old["others"]


def test_without_named_entries_the_whole_table_counts(table: Path) -> None:
    old = code_digest(table / "fit.py")
    path = table / "utility_annotation" / "table.py"
    path.write_text(path.read_text().replace("run=other", "run=loss"))
    staleness.forget()
    assert code_digest(table / "fit.py") != old


@pytest.mark.parametrize("entry", ["TABLE", "utility_annotation.table:TABLE[nobody]", "utility_annotation.table:NO[a]"])
def test_an_entry_that_is_not_there_is_refused(table: Path, entry: str) -> None:
    with pytest.raises(ValueError, match=r"entry"):
        code_digest(table / "fit.py", entries=(entry,))
