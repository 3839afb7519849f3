"""Write config/README.md, the reference of every configuration key, from the typed configuration.

python workflow/scripts/describe_configuration.py --output config/README.md
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from utility_annotation.configuration import Configuration, Settings, member_section
from utility_annotation.errors import run_script
from utility_annotation.files import write_text

HEAD = """# Configuration

`config.yaml` is the demo and the default. Another configuration takes its place, whole, with `--configfile FILE`.
Single keys can be set on the command line: `--config 'performance={threads: 4}'`.

Every key is listed here; an unknown one is refused, with the nearest known one named. What stands in `performance`
changes how fast results are made and never makes one stale; every other key makes stale exactly the results that
depend on it. Sections marked *by name* hold members under names of your own, which become folder names and may be
referred to by other sections.

This page is made from the code by `workflow/scripts/describe_configuration.py`; a test fails when the two differ.
"""


def reference() -> str:
    """The whole page as Markdown."""
    return HEAD + "".join(_section(name, field) for name, field in Configuration.model_fields.items())


def _section(name: str, field: FieldInfo) -> str:
    section = member_section(field.annotation)
    by_name = " *(by name)*" if get_origin(field.annotation) is dict else ""
    assert section is not None, f"{name} is no section"
    head = f"\n## `{name}`{by_name}\n\n{field.description}\n\n| key | values | default | meaning |\n"
    return head + "| --- | --- | --- | --- |\n" + "".join(_rows(section, ""))


def _rows(section: type[Settings], prefix: str) -> Iterator[str]:
    for name, field in section.model_fields.items():
        inner = member_section(field.annotation)
        key = f"{prefix}{name}" + (".NAME" if get_origin(field.annotation) is dict else "")
        if inner is None:
            yield f"| `{key}` | {_values(field.annotation)} | {_default(field)} | {_cell(field.description)} |\n"
        else:
            default = "required" if field.is_required() else "none" if field.default is None else "as below"
            yield f"| `{key}` | section | {default} | {_cell(field.description)} |\n"
            yield from _rows(inner, f"{key}.")


def _values(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    arguments = [argument for argument in get_args(annotation) if argument not in (type(None), ...)]
    if type(None) in get_args(annotation):
        return f"{_values(arguments[0])} or none"
    if get_origin(annotation) is tuple:
        return f"list of {_values(arguments[0])}"
    if arguments:
        return _values(arguments[0])
    return {"str": "text", "int": "whole number", "float": "number", "bool": "`true`, `false`"}[annotation.__name__]


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{', '.join(value)}`" if isinstance(value, tuple) else f"`{value}`"


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|")


def main(argv: list[str] | None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True)
    write_text(parser.parse_args(argv).output, reference())


if __name__ == "__main__":
    run_script(main)
