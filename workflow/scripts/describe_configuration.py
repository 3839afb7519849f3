"""Write the reference of every configuration key, README.md, and the JSON schema for editors, schema.json.

python workflow/scripts/describe_configuration.py --output config
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from utility_annotation.common.errors import run_script
from utility_annotation.common.files import write_text
from utility_annotation.planning.tables import choices
from utility_annotation.settings import Configuration

HEAD = """# Configuration

The workflow reads one configuration. The default is `config/config.yaml`, the demo. `--configfile FILE` reads FILE
instead. With several files, later files change single keys of earlier ones. `--config` sets single keys on the command
line: `--config 'performance={threads: 4}'`.

This page lists every key. The workflow refuses an unknown key and suggests the closest known one. Keys of
`performance` change how fast results are made. Every other key makes exactly the results stale that depend on it. In
sections marked *by name* you choose the names of the members. Names become folder names, and other sections refer to
them.

Editors with a YAML language server complete and check keys by `config/schema.json`. Put this line at the top of a file
in `config/`:

```yaml
# yaml-language-server: $schema=schema.json
```

[What the paper leaves open](../docs/reproduce-the-paper.md#what-the-paper-leaves-open) has the reasons behind
`config/paper.yaml`.

`workflow/scripts/describe_configuration.py` writes this page and `schema.json` from the code. Do not edit them by hand.
"""


TYPES = {"string": "text", "integer": "whole number", "number": "number", "boolean": "`true`, `false`"}

Node = dict[str, Any]
"""A part of a JSON schema."""


def reference() -> str:
    """The whole page as Markdown."""
    sections = []
    for name, section in _expanded(Configuration.model_json_schema())["properties"].items():
        members, by_name = _members(section), "" if "properties" in section else " *(by name)*"
        head = f"\n## `{name}`{by_name}\n\n{section['description']}\n\n| key | values | default | meaning |\n"
        sections.append(head + "| --- | --- | --- | --- |\n" + "".join(_rows(members, "")))
    return HEAD + "".join(sections)


def schema() -> str:
    """The JSON schema of a configuration file.

    No key is required: a file may change single keys of another one. The workflow checks the whole.
    """
    whole = {"$schema": "http://json-schema.org/draft-07/schema#"} | _expanded(Configuration.model_json_schema())
    whole["description"] = "A configuration of the workflow, or keys that change another one."
    text = json.dumps(whole)
    kept = json.loads(text, object_hook=lambda node: {name: node[name] for name in node if name != "required"})
    return json.dumps(kept, indent=1, ensure_ascii=False) + "\n"


def _rows(section: Node, prefix: str) -> Iterator[str]:
    """One line per key of a section; ``prefix`` stands before a key on the page."""
    for name, node in section["properties"].items():
        member = _members(node)
        key = f"{prefix}{name}" + ("" if member is node or node.get("type") != "object" else ".NAME")
        values, default = _values(member if "properties" in member else node), _default(node.get("default"))
        if "properties" in member and "anyOf" not in node:
            default = "as below"
        if name in section.get("required", ()):
            default = "required"
        description = node.get("description", "").replace("|", "\\|")
        yield f"| `{key}` | {values} | {default} | {description} |\n"
        if values == "section":
            yield from _rows(member, f"{key}.")


def _members(node: Node) -> Node:
    """What stands below a key: the values of a mapping, the entries of a list, or a section that may be left out."""
    if "properties" in node:
        return node
    for inner in (node.get("additionalProperties"), node.get("items"), *node.get("patternProperties", {}).values()):
        if isinstance(inner, dict):
            return _members(inner)
    return next((_members(each) for each in node.get("anyOf", ()) if "properties" in _members(each)), node)


def _values(node: Node) -> str:
    if "properties" in node:
        return "section"
    if "anyOf" in node:
        return " or ".join("none" if each.get("type") == "null" else _values(each) for each in node["anyOf"])
    if "enum" in node or "examples" in node:
        return ", ".join(f"`{str(value).removesuffix('@10')}`" for value in node.get("enum") or node["examples"])
    if node["type"] == "array":
        return f"list of {_values(node['items'])}"
    if node["type"] == "object":
        names = [_values(node["propertyNames"])] if "enum" in node.get("propertyNames", {}) else []
        return " to ".join([*names, _values(_members(node))])
    return TYPES[node["type"]]


def _default(value: Any) -> str:
    if value in (None, ""):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{', '.join(map(str, value))}`" if isinstance(value, list) else f"`{value}`"


def _expanded(node: Node, path: str = "", parts: Node | None = None) -> Node:
    """A part of pydantic's schema with every reference replaced by what it names.

    Args:
        node: the part; the whole schema to begin with.
        path: the part's place in the configuration, with ``*`` for any name.
        parts: what references name.
    """
    parts = parts or node["$defs"]
    if "$ref" in node:
        node = {**parts[node["$ref"].rpartition("/")[2]], **node}
    pair = node.get("items", {}).get("prefixItems", ())
    if len(pair) == 2:  # pairs, given as a mapping
        node = {"type": "object", "additionalProperties": pair[1], "description": node.get("description", "")}
    dropped = ("$defs", "$ref", "title", "prefixItems")
    kept = {name: value for name, value in node.items() if name not in dropped and value not in ([], {}, None)}
    if isinstance(kept.get("default"), dict):  # of a section, whose keys show it
        values = kept.pop("default")
        shown = {key: {"default": values[key]} if key in values else {} for key in kept["properties"]}
        kept["properties"] = {key: inner | shown[key] for key, inner in kept["properties"].items()}
    if "prefixItems" in node:
        kept["items"] = node["prefixItems"][0]
    for name in ("properties", "patternProperties"):
        if name in kept:
            below = {key: f"{path}.{key if name == 'properties' else '*'}".lstrip(".") for key in kept[name]}
            kept[name] = {key: _expanded(kept[name][key], below[key], parts) for key in kept[name]}
            kept["additionalProperties"] = False
    if isinstance(kept.get("additionalProperties"), dict):
        kept["additionalProperties"] = _expanded(kept["additionalProperties"], f"{path}.*", parts)
    if "items" in kept:
        kept["items"] = _expanded(kept["items"], path, parts)
    if "anyOf" in kept:
        kept["anyOf"] = [_expanded(each, path, parts) for each in kept["anyOf"]]
    names = choices().get(path, {})  # of entries of a table of the library
    if names and "description" in kept:
        kept["description"] += " " + "; ".join(f"{name}: {text}" for name, text in names.items()) + "."
    if names and kept.get("type") == "string":
        kept["enum"] = list(names)
        if path == "testsets.*.metrics":  # metrics of retrieval can have a cutoff
            kept["pattern"] = f"^({'|'.join(map(re.escape, kept.pop('enum')))})(@[1-9][0-9]*)?$"
            kept["examples"] = [f"{name}@10" for name in names]
    return kept


def main(argv: list[str] | None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder of both files")
    folder = parser.parse_args(argv).output
    write_text(folder / "README.md", reference())
    write_text(folder / "schema.json", schema())


if __name__ == "__main__":
    run_script(main)
