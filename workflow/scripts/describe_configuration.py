"""Write config/README.md, the reference of every configuration key, from the typed configuration.

python workflow/scripts/describe_configuration.py --output config/README.md
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic.fields import FieldInfo

from utility_annotation.common.errors import run_script
from utility_annotation.common.files import write_text
from utility_annotation.planning.tables import choices
from utility_annotation.settings import Configuration, Settings, member_section

HEAD = """# Configuration

`config.yaml` is the demo and the default. Another configuration takes its place, whole, with `--configfile FILE`.
Single keys can be set on the command line: `--config 'performance={threads: 4}'`.

Every key is listed here; an unknown one is refused, with the nearest known one named. What stands in `performance`
changes how fast results are made and never makes one stale; every other key makes stale exactly the results that
depend on it. Sections marked *by name* hold members under names of your own, which become folder names and may be
referred to by other sections.

This page is made from the code by `workflow/scripts/describe_configuration.py`; a test fails when the two differ.
"""


TAIL = """
## What the paper leaves open

`config/paper.yaml` has to decide what the paper does not state. Each decision is a key that can be set otherwise.

| question | key | decided | reason |
| --- | --- | --- | --- |
"""

DECISIONS = (
    (
        "which of MS MARCO's 502,939 judged training questions",
        "`pools.msmarco-train.source`",
        "the 491,007 of Tevatron's file",
        "the paper's number; the file fixes the questions and the negatives",
    ),
    (
        "whether passages have their titles",
        "`pools.NAME.titles`, `datasets.NAME.titles`",
        "none on MS MARCO, all elsewhere",
        "MS MARCO's collection has none, and passages must be read alike in training and in search",
    ),
    (
        "temperature of the scores",
        "`trainings.NAME.temperature`",
        "1",
        "dot products of [CLS] vectors as they are, as in the losses' equations",
    ),
    (
        "temperature of the LLMs",
        "`annotators.NAME.sampling`",
        "0; Qwen3 thinks at 0.6",
        "greedy wherever the paper names no other setting",
    ),
    (
        "length of an answer",
        "`annotators.NAME.answer_sampling.max_new_tokens`",
        "128",
        "one sentence or a few; an answer that is cut off is counted as truncated and kept",
    ),
    (
        "passage tokens in training and search",
        "`backbones.NAME.passage_length`",
        "156",
        "the upper end of 140 to 156",
    ),
    (
        "whose likelihoods REPLUG takes",
        "`labels.replug.annotator`",
        "Qwen-2.5-32B",
        "the LLM of the other label sets in the same tables; the paper's 70 hours allow it",
    ),
    (
        "which LLM judged the hybrid test",
        "`labels.hybrid.annotator`",
        "Qwen-2.5-32B",
        "the stronger annotator in table 1",
    ),
    (
        "which retrievers mined NQ's negatives beside BM25",
        "`pools.nq-train.source.retrievers`",
        "RetroMAE and Contriever trained on human labels",
        "the paper's two backbones, on labels that favour none of the methods compared",
    ),
    (
        "what `pos-all` draws in table 10's second stage",
        "`trainings.utilsel-cl20-pos-all`",
        "all human positives, with summarglh",
        "only the second stage differs between the two rows",
    ),
    (
        "ratios of figure 3a",
        "`line_charts.figure3a.series`",
        "0, 10, 20, 30, 50 and 100 %",
        "those of the tables, and the ends",
    ),
    (
        "encoder and layer of BERTScore",
        "`qa.NAME.bert_score`",
        "RoBERTa-large, layer 17",
        "its authors' default for English",
    ),
    (
        "BM25's parameters",
        "`bm25`",
        "k1 0.9, b 0.4",
        "Anserini's defaults, with which its published figures agree with tables 3 and 14",
    ),
)
"""Question, key, decision, reason."""


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
    return head + "| --- | --- | --- | --- |\n" + "".join(_rows(section, "", path, choices()))


def _rows(section: type[Settings], prefix: str, path: str, known: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    """A line a key.

    Args:
        section: the section whose keys these are.
        prefix: what stands before a key on the page.
        path: the section's place in the configuration, with ``*`` for any name.
        known: the names that a setting of a place may take from a table of the library.
    """
    for name, field in section.model_fields.items():
        inner = member_section(field.annotation)
        by_name = get_origin(field.annotation) is dict
        key, place = f"{prefix}{name}" + (".NAME" if by_name else ""), f"{path}.{name}" + (".*" if by_name else "")
        if inner is None:
            names = known.get(place, {})
            values = _values(field.annotation, names)
            yield f"| `{key}` | {values} | {_default(field)} | {_cell(_meaning(field, names))} |\n"
        else:
            default = "required" if field.is_required() else "none" if field.default is None else "as below"
            yield f"| `{key}` | section | {default} | {_cell(field.description)} |\n"
            yield from _rows(inner, f"{key}.", place, known)


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


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "required"
    value = field.default
    if value is None or value in ("", ()):
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
