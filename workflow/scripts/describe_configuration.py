"""Write the reference of every configuration key, README.md, and the JSON schema for editors, schema.json.

python workflow/scripts/describe_configuration.py --output config
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from utility_annotation.common.errors import run_script
from utility_annotation.common.files import write_text
from utility_annotation.planning.tables import choices
from utility_annotation.settings import Configuration, Settings, member_section

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

`workflow/scripts/describe_configuration.py` writes this page and `schema.json` from the code. Do not edit them by hand.
"""


TAIL = """
## What the paper leaves open

The paper does not state everything that `config/paper.yaml` has to set. Each of these choices is a key that you can
change.

| question | key | choice | reason |
| --- | --- | --- | --- |
"""

DECISIONS = (
    (
        "Which of MS MARCO's 502,939 judged training questions are used?",
        "`pools.msmarco-train.source`",
        "the 491,007 of Tevatron's file",
        "It is the paper's number. The file fixes the questions and the negatives.",
    ),
    (
        "Do passages have their titles?",
        "`pools.NAME.titles`, `datasets.NAME.titles`",
        "not on MS MARCO, elsewhere yes",
        "MS MARCO's collection has no titles, and passages must look the same in training and in search.",
    ),
    (
        "What is the temperature of the scores?",
        "`trainings.NAME.temperature`",
        "1",
        "The losses' equations use the plain dot products of [CLS] vectors.",
    ),
    (
        "What is the temperature of the LLMs?",
        "`annotators.NAME.sampling`",
        "0; 0.6 for Qwen3, which thinks",
        "Decoding is greedy wherever the paper names no other setting.",
    ),
    (
        "How long can an answer be?",
        "`annotators.NAME.answer_sampling.max_new_tokens`",
        "128",
        "It leaves room for a few sentences. An answer that is cut off is kept and counted as truncated.",
    ),
    (
        "How many tokens does a passage have in training and search?",
        "`backbones.NAME.passage_length`",
        "156",
        "The paper says 140 to 156.",
    ),
    (
        "Whose likelihoods does REPLUG use?",
        "`labels.replug.annotator`",
        "Qwen-2.5-32B",
        "It makes the other label sets of the same tables, and it fits the paper's 70 hours.",
    ),
    (
        "Which LLM judged the hybrid test?",
        "`labels.hybrid.annotator`",
        "Qwen-2.5-32B",
        "It is the stronger annotator in table 1.",
    ),
    (
        "Which retrievers mined NQ's negatives, besides BM25?",
        "`pools.nq-train.source.retrievers`",
        "RetroMAE and Contriever trained on human labels",
        "They are the paper's two backbones, and human labels favour none of the compared methods.",
    ),
    (
        "What does `pos-all` draw in table 10's second stage?",
        "`trainings.utilsel-cl20-pos-all`",
        "all human positives, with summarglh",
        "Only the second stage then differs between the two rows.",
    ),
    (
        "Which ratios does figure 3a show?",
        "`line_charts.figure3a.series`",
        "0, 10, 20, 30, 50 and 100 %",
        "They are the ratios of the tables, and both ends.",
    ),
    (
        "Which encoder and layer does BERTScore use?",
        "`qa.NAME.bert_score`",
        "RoBERTa-large, layer 17",
        "It is its authors' default for English.",
    ),
    (
        "Which parameters does BM25 have?",
        "`bm25`",
        "k1 0.9, b 0.4",
        "They are Anserini's defaults, whose published figures agree with tables 3 and 14.",
    ),
)
"""Question, key, choice, reason."""


def reference() -> str:
    """The whole page as Markdown."""
    decisions = "".join(f"| {' | '.join(decision)} |\n" for decision in DECISIONS)
    return (
        HEAD + "".join(_section(name, field) for name, field in Configuration.model_fields.items()) + TAIL + decisions
    )


def _section(name: str, field: FieldInfo) -> str:
    section = member_section(field.annotation)
    by_name = " *(by name)*" if get_origin(field.annotation) is dict else ""
    assert section is not None, f"{name} is no section"
    head = f"\n## `{name}`{by_name}\n\n{field.description}\n\n| key | values | default | meaning |\n"
    path = f"{name}.*" if by_name else name
    return head + "| --- | --- | --- | --- |\n" + "".join(_rows(section, field.default, "", path, choices()))


def _rows(
    section: type[Settings], given: Any, prefix: str, path: str, known: Mapping[str, Mapping[str, str]]
) -> Iterator[str]:
    """One line per key.

    Args:
        section: the section whose keys these are.
        given: the section's default, whose values go before those of its keys; anything else where it has none.
        prefix: what stands before a key on the page.
        path: the section's place in the configuration, with ``*`` for any name.
        known: the names that a setting may take from a table of the library, by its place.
    """
    for name, field in section.model_fields.items():
        inner = member_section(field.annotation)
        by_name = get_origin(field.annotation) is dict
        key, place = f"{prefix}{name}" + (".NAME" if by_name else ""), f"{path}.{name}" + (".*" if by_name else "")
        if inner is None:
            names = known.get(place, {})
            values = _values(field.annotation, names)
            default = _default(field, getattr(given, name) if isinstance(given, Settings) else field.default)
            yield f"| `{key}` | {values} | {default} | {_cell(_meaning(field, names))} |\n"
        else:
            default = "required" if field.is_required() else "none" if field.default is None else "as below"
            yield f"| `{key}` | section | {default} | {_cell(field.description)} |\n"
            yield from _rows(inner, field.default, f"{key}.", place, known)


def _meaning(field: FieldInfo, names: Mapping[str, str]) -> str:
    """The description, and what each of the names means."""
    described = "; ".join(f"{name}: {description}" for name, description in names.items())
    return " ".join(filter(None, (field.description, f"{described}." if described else "")))


def _values(annotation: Any, names: Iterable[str] = ()) -> str:
    if get_origin(annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(annotation))
    arguments = [argument for argument in get_args(annotation) if argument not in (type(None), ...)]
    if type(None) in get_args(annotation):
        return f"{_values(arguments[0], names)} or none"
    if get_origin(annotation) is tuple:
        if get_origin(arguments[0]) is tuple:  # pairs, given as a mapping
            return " to ".join(map(_values, get_args(arguments[0])))
        return f"list of {_values(arguments[0], names)}"
    if arguments:
        return _values(arguments[0], names)
    if names:
        return ", ".join(f"`{name}`" for name in names)
    return {"str": "text", "int": "whole number", "float": "number", "bool": "`true`, `false`"}[annotation.__name__]


def _default(field: FieldInfo, value: Any) -> str:
    if field.is_required():
        return "required"
    if value is None or value in ("", ()):
        return "none"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{', '.join(value)}`" if isinstance(value, tuple) else f"`{value}`"


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|")


def schema() -> str:
    """The JSON schema of a configuration file.

    No key is required: a file may change single keys of another one. The workflow checks the whole.
    """
    written = Configuration.model_json_schema()
    whole = _expanded(written, written["$defs"], "", choices())
    whole["description"] = "A configuration of the workflow, or keys that change another one."
    return (
        json.dumps({"$schema": "http://json-schema.org/draft-07/schema#"} | whole, indent=1, ensure_ascii=False) + "\n"
    )


_LEFT_OUT = ("$defs", "$ref", "title", "required", "prefixItems")


def _expanded(
    node: Mapping[str, Any], parts: Mapping[str, Any], path: str, known: Mapping[str, Mapping[str, str]]
) -> dict[str, Any]:
    """A part of pydantic's schema with every reference replaced by what it names.

    Args:
        node: the part.
        parts: what references name.
        path: the part's place in the configuration, with ``*`` for any name.
        known: the names that a setting may take from a table of the library, by its place.
    """
    if "$ref" in node:
        node = {**parts[node["$ref"].rpartition("/")[2]], **node}
    if _is_pairs(node):  # given as a mapping
        name = node["items"]["prefixItems"][1]
        node = {"type": "object", "additionalProperties": name, "description": node.get("description", "")}
    kept = {name: value for name, value in node.items() if name not in _LEFT_OUT and value not in ([], {}, None)}
    if isinstance(kept.get("default"), dict):  # of a section, whose keys show it
        values = kept.pop("default")
        shown = {key: {"default": values[key]} if key in values else {} for key in kept["properties"]}
        kept["properties"] = {key: inner | shown[key] for key, inner in kept["properties"].items()}
    if "prefixItems" in node:
        kept["items"] = node["prefixItems"][0]
    for name in ("properties", "patternProperties"):
        if name in kept:
            below = {key: f"{path}.{key if name == 'properties' else '*'}".lstrip(".") for key in kept[name]}
            kept[name] = {key: _expanded(kept[name][key], parts, below[key], known) for key in kept[name]}
            kept["additionalProperties"] = False
    if isinstance(kept.get("additionalProperties"), dict):
        kept["additionalProperties"] = _expanded(kept["additionalProperties"], parts, f"{path}.*", known)
    if "items" in kept:
        kept["items"] = _expanded(kept["items"], parts, path, known)
    if "anyOf" in kept:
        kept["anyOf"] = [_expanded(each, parts, path, known) for each in kept["anyOf"]]
    if path in known and kept.get("type") == "string":
        kept |= _named(path, known[path])
    return kept


def _is_pairs(node: Mapping[str, Any]) -> bool:
    items = node.get("items")
    return isinstance(items, Mapping) and len(items.get("prefixItems", ())) == 2


def _named(path: str, names: Mapping[str, str]) -> dict[str, Any]:
    """What a setting takes that names an entry of a table; metrics of retrieval have a cutoff besides."""
    if path == "testsets.*.metrics":
        return {
            "pattern": f"^({'|'.join(map(re.escape, names))})(@[1-9][0-9]*)?$",
            "examples": [f"{n}@10" for n in names],
        }
    return {"enum": list(names)}


def main(argv: list[str] | None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", type=Path, required=True, help="folder of both files")
    folder = parser.parse_args(argv).output
    write_text(folder / "README.md", reference())
    write_text(folder / "schema.json", schema())


if __name__ == "__main__":
    run_script(main)
