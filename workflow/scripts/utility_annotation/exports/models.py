"""Export a retriever or a reranker: its folder, which sentence-transformers or transformers loads, with a card."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import Field

from ..common.files import atomic_write, read_json, write_text
from ..labels.calibration import METHODS
from ..labels.sources import descriptions
from ..settings import Backbone, JobSettings, Labels, Lora, Model, Name, Reranker, Training
from .card import IGNORED_BY, PAPER, table, whole

_VERSION = (
    "transformers must be version 5.2 or later. An older one may leave out the token at the end of each text, or hide "
    "later tokens from earlier ones, without a word, and then gives other vectors."
)


class _Kind(NamedTuple):
    """What a card says of a kind of model; the first of its tags is the library that loads it."""

    title: str
    task: str
    tags: list[str]
    loading: list[str]
    notes: list[str]


class Selects(JobSettings):
    """How a reranker keeps passages: by which labels its scores are calibrated, how, and from which probability on."""

    labels: Name
    method: str
    threshold: float


class ModelExportSettings(JobSettings):
    """The content of a model's card beside its ``training.json``."""

    name: Name
    """Name of the training."""
    labels: Labels
    """Labels of the training."""
    init_from: Labels | None
    """Labels of the training that it starts from, in a curriculum."""
    source: Model
    """The source of the backbone or the reranker."""
    orders: dict[Name, str] = Field({})
    """What a reranker, or a retriever in its place, orders, by the name in ``reranked``."""
    selects: dict[Name, Selects] = Field({})
    """How it selects, by the name in ``selected``."""


def export_model(
    settings: ModelExportSettings,
    model: Path,
    metrics: Sequence[Path],
    output: Path,
    calibrations: Sequence[Path] = (),
) -> None:
    """Write the folder of a trained model with a card; files are hard-linked if possible, else copied.

    Args:
        settings: the labels and the backbone's source, for the card.
        model: the model folder of the training.
        metrics: metrics files of this model (JSON).
        output: the folder, written whole or not at all.
        calibrations: files of :func:`..selection.reliability.calibrate` of a reranker that selects, named as their
            labels; they go to ``calibrations/``.
    """
    training = read_json(model / "training.json", "backbone", "training")
    figures = [read_json(path, "testset", "metrics") for path in metrics]
    with atomic_write(output) as folder:
        shutil.copytree(model, folder, copy_function=_link_or_copy, ignore=shutil.ignore_patterns(".snakemake_*"))
        for path in calibrations:
            (folder / "calibrations").mkdir(exist_ok=True)
            shutil.copyfile(path, folder / "calibrations" / path.name)
        write_text(folder / "README.md", model_card(settings, training, figures))


def model_card(settings: ModelExportSettings, training: Mapping[str, Any], metrics: Sequence[Mapping[str, Any]]) -> str:
    """The card.

    Args:
        settings: the labels and the backbone's origin.
        training: ``training.json``.
        metrics: the content of the metrics files; each names its test set (or average).
    """
    trained = training["backbone"]
    kind = _retriever(Backbone(**trained)) if "pooling" in trained else _reranker(Reranker(**trained))
    source = settings.source.hub or settings.source.package or settings.source.path or trained["model"]
    labels = training["training"]["labels"]
    head: dict[str, Any] = {
        "library_name": kind.tags[0],
        "pipeline_tag": kind.task,
        "tags": kind.tags,
    }
    if settings.source.hub:
        head["base_model"] = settings.source.hub
    figures = [
        (
            *([settings.orders.get(found["training"], "all passages")] if settings.orders else []),
            found["testset"],
            metric,
            f"{100 * value:.1f}",
        )
        for found in metrics
        for metric, value in found["metrics"].items()
        if value is not None
    ]
    names = (*(["orders"] if settings.orders else []), "test set", "metric")
    return whole(
        head,
        f"# {settings.name}: {kind.title}, {trained['model']} trained on labels {labels}",
        f"The method is that of {PAPER}.",
        table(_training(settings, training, source), texts=2, title="Training"),
        table(figures, texts=len(names), headings=(*names, "%"), title="Evaluation"),
        "\n".join(["## How to load it", "", "```python", *kind.loading, "```"]),
        *kind.notes,
        *[_selection(name, each) for name, each in settings.selects.items()],
        "`training.json` beside this card has every setting, the curve and the versions.",
    )


def _training(settings: ModelExportSettings, record: Mapping[str, Any], source: str) -> list[tuple[str, str]]:
    training = Training.model_validate(record["training"])
    batch, queries = record["effective_batch"], record["queries"]
    start = f"training {training.init_from}, which started from {source}" if training.init_from else source
    sizes = f"{batch['queries']} questions × {batch['passages_a_query']} passages"
    steps, planned = record["steps"], record.get("planned_steps", record["steps"])
    early = f" of {planned:,}" if steps < planned else ""
    rate = f"learning rate {training.learning_rate:g}, {record['schedule']}"
    return [
        ("starts from", start),
        *([("labels of that first stage", descriptions()[settings.init_from.source])] if settings.init_from else []),
        ("labels", f"{training.labels} of pool {settings.labels.pool}: {descriptions()[settings.labels.source]}"),
        *([("ignored", IGNORED_BY.format(settings.labels.ignore))] if settings.labels.ignore else []),
        ("questions", f"{queries['used']:,} ({queries['without_positive']:,} more have no positive)"),
        ("loss", f"{training.loss}, temperature {training.temperature:g}"),
        ("positives", f"{training.positives}; human positive: {training.human_positive}"),
        ("effective batch", f"{sizes}, over {record['processes']} process(es); negatives: {batch['negatives']}"),
        ("steps", f"{steps:,}{early} in {training.epochs:g} epoch(s)"),
        ("optimiser", f"{record['optimizer']}, {rate}, {training.precision}"),
        *([("chosen", _chosen(record["dev"]))] if "dev" in record else []),
        *([("trained weights", _lora(training.lora, record["parameters"]))] if training.lora else []),
    ]


def _chosen(dev: Mapping[str, Any]) -> str:
    value = dict(dev["curve"])[dev["kept_step"]]
    return (
        f"the weights after step {dev['kept_step']:,}, with {dev['metric']} {100 * value:.1f} % on "
        f"{dev['questions']:,} questions of labels {dev['labels']}"
    )


def _lora(lora: Lora, parameters: Mapping[str, int]) -> str:
    targets = lora.targets if isinstance(lora.targets, str) else ", ".join(lora.targets)
    return (
        f"LoRA of rank {lora.r}, alpha {lora.alpha:g} and dropout {lora.dropout:g} on {targets}: "
        f"{parameters['trained']:,} of {parameters['all']:,} parameters; merged here, and alone in `adapter/`"
    )


def _retriever(backbone: Backbone) -> _Kind:
    """Its code encodes a question and a passage as they were encoded in training."""
    lines = ["from sentence_transformers import SentenceTransformer", "", 'model = SentenceTransformer("this/folder")']
    for name, text, prefix, length in (
        ("queries", "a question", backbone.query_prefix, backbone.query_length),
        ("passages", "a title and a text", backbone.passage_prefix, backbone.passage_length),
    ):
        prompt = f", prompt={prefix!r}" if prefix else ""
        lines.append(f'{name} = model.encode(["{text}"]{prompt})  # cut to {length} tokens in training')
    notes = [_VERSION] if backbone.append_eos or backbone.attention == "bidirectional" else []
    notes.append(f"Similarity is the inner product{' of vectors of length 1' if backbone.normalize else ''}.")
    tags = ["sentence-transformers", "feature-extraction", "dense-retrieval"]
    return _Kind("a dense retriever", "sentence-similarity", tags, [*lines, "print(queries @ passages.T)"], notes)


def _reranker(reranker: Reranker) -> _Kind:
    """Its code scores a question with a passage as they were scored in training."""
    query, passage = (
        f"{prefix!r} + {text!r}" if prefix else repr(text)
        for prefix, text in ((reranker.query_prefix, "a question"), (reranker.passage_prefix, "a title and a text"))
    )
    if reranker.score == "yes-no":
        tags = ["transformers", "reranker"]
        lines = [
            "import torch",
            "from transformers import AutoModelForCausalLM, AutoTokenizer",
            "",
            'tokenizer = AutoTokenizer.from_pretrained("this/folder")',
            'model = AutoModelForCausalLM.from_pretrained("this/folder").eval()',
            f"ids = tokenizer({query}).input_ids  # with the others cut to {reranker.length} tokens in training",
            f"for part in ({passage}, {reranker.passage_suffix!r}):",
            "    ids += tokenizer(part, add_special_tokens=False).input_ids",
            f"words = tokenizer([{reranker.yes_token!r}, {reranker.no_token!r}], add_special_tokens=False).input_ids",
            "with torch.no_grad():",
            "    (yes,), (no,) = model(torch.tensor([ids])).logits[0, -1, words]",
            "print(float(yes - no))",
        ]
    else:
        tags = ["sentence-transformers", "cross-encoder", "reranker"]
        lines = [
            "from sentence_transformers import CrossEncoder",
            "",
            f'model = CrossEncoder("this/folder")  # cuts a pair to {reranker.length} tokens, as in training',
            f"print(*model.predict([({query}, {passage})]))",
        ]
    notes = ["Of two passages for a question, the better one has the higher score."]
    return _Kind("a reranker", "text-ranking", tags, lines, notes)


def _selection(name: str, selects: Selects) -> str:
    """How a selected run keeps passages, and code from a score to a probability."""
    file = f"calibrations/{selects.labels}.json"
    lines = [
        "import json",
        "from pathlib import Path",
        "",
        "import numpy",
        "",
        f'methods = json.loads(Path("this/folder/{file}").read_text())["methods"]',
        f'fitted = methods["{selects.method}"]["fitted"]',
        f"probability = {METHODS[selects.method].code}",
        f"kept = probability >= {selects.threshold:g}",
    ]
    return "\n".join(
        [
            f"## How to select passages ({name})",
            "",
            f"A passage is kept if its probability is at least {selects.threshold:g}. Labels {selects.labels} make the "
            f"score a probability ({METHODS[selects.method].description}). `{file}` says how far it can be relied on.",
            "",
            "```python",
            *lines,
            "```",
        ]
    )


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
