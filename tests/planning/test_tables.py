"""One entry in a table is all that a new loss, pooling, format or metric needs; a name in no table is refused."""

from __future__ import annotations

import copy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import describe_configuration
import numpy as np
import pytest
import torch
import yaml
from tiny_bert import save_tiny_bert

from utility_annotation.common.code_digest import code_digest
from utility_annotation.common.errors import InputError
from utility_annotation.evaluation.answer_metrics import ANSWER_METRICS, Answered, AnswerMetric, Scores
from utility_annotation.evaluation.answers import evaluate_answers
from utility_annotation.evaluation.metric_names import METRICS, Metric
from utility_annotation.evaluation.metrics import evaluate
from utility_annotation.exports.forms import FORMS
from utility_annotation.io.formats import FORMATS, Format, answer_key, read_answers, read_passages, read_queries
from utility_annotation.io.formats.rows import Answers, PassageRow, Query
from utility_annotation.io.schemas import QRELS, RUN
from utility_annotation.planning.loading import load
from utility_annotation.planning.tables import choices
from utility_annotation.reporting.tables import metric_name
from utility_annotation.settings import Backbone, Source, Training
from utility_annotation.training.encoder import Encoder
from utility_annotation.training.losses import LOSSES, Loss
from utility_annotation.training.pooling import POOLINGS, Pooling
from utility_annotation.training.sampling import draw


def read_new_passages(path: Path) -> Iterator[PassageRow]:
    yield PassageRow(1, path.name, None, "text")


def read_new_queries(path: Path, columns: dict[str, str] | None = None) -> Iterator[Query]:
    yield Query(1, "Q", (columns or {}).get("text", "asked"))


def read_new_answers(path: Path) -> Iterator[Answers]:
    yield Answers(1, "asked", ["answer"])


def largest_score(scores: torch.Tensor, positives: torch.Tensor, negatives: torch.Tensor) -> torch.Tensor:
    return scores.max()


NEW: list[tuple[dict[str, Any], Any, str, str, Any]] = [
    (LOSSES, Loss(function=largest_score, description="of the new kind"), "trainings.*.loss", "trainings/human", "new"),
    (
        POOLINGS,
        Pooling(function=lambda hidden, mask: hidden[:, -1], description="of the new kind", saved_as={}),
        "backbones.*.pooling",
        "backbones/minilm",
        "new",
    ),
    (
        FORMATS,
        Format(description="of the new kind", passages=read_new_passages),
        "datasets.*.corpus.format",
        "datasets/demo/corpus",
        "new",
    ),
    (
        FORMATS,
        Format(description="of the new kind", queries=read_new_queries, columns=True),
        "datasets.*.splits.*.queries.format",
        "datasets/demo/splits/dev/queries",
        "new",
    ),
    (
        METRICS,
        Metric(function=lambda judged, *others: np.full(len(judged), 0.25), label="New", description="of the new kind"),
        "testsets.*.metrics",
        "testsets/demo-dev",
        ["new@3", "new"],
    ),
    (
        ANSWER_METRICS,
        AnswerMetric(function=lambda answered: Scores([]), label="New", description="of the new kind"),
        "qa.*.metrics",
        "qa/demo",
        ["em", "new"],
    ),
]
"""Table, entry, setting, the section that holds it in the demo, and its value there."""
IDS = [setting for _, _, setting, _, _ in NEW]


@pytest.fixture
def demo(root: Path) -> dict[str, Any]:
    raw = yaml.safe_load((root / "config" / "config.yaml").read_text())
    return raw | {"qa": {"demo": {"testset": "demo-dev"}}}


def changed(raw: dict[str, Any], section: str, **keys: Any) -> dict[str, Any]:
    raw = copy.deepcopy(raw)
    inner = raw
    for name in section.split("/"):
        inner = inner[name]
    inner.update(keys)
    return raw


@pytest.mark.parametrize(("table", "entry", "setting", "section", "value"), NEW, ids=IDS)
def test_a_new_entry_is_accepted_and_described(
    demo: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    table: dict[str, Any],
    entry: Any,
    setting: str,
    section: str,
    value: Any,
) -> None:
    raw = changed(demo, section, **{setting.rpartition(".")[2]: value})
    with pytest.raises(InputError, match="new"):
        load(raw)
    monkeypatch.setitem(table, "new", entry)
    load(raw)
    assert choices()[setting]["new"] == "of the new kind"
    line = next(line for line in describe_configuration.reference().splitlines() if "new: of the new kind" in line)
    assert "`new`" in line


@pytest.mark.parametrize(
    ("section", "keys", "place", "nearest"),
    [
        ("trainings/human", {"loss": "summarg"}, "trainings.human.loss", "summarglh"),
        ("backbones/minilm", {"pooling": "meen"}, "backbones.minilm.pooling", "mean"),
        ("datasets/demo/corpus", {"format": "bier"}, "datasets.demo.corpus.format", "beir"),
        ("datasets/demo/splits/dev/qrels", {"format": "trek"}, "datasets.demo.splits.dev.qrels.format", "trec"),
        ("testsets/demo-dev", {"metrics": ["mmr@10"]}, "testsets.demo-dev.metrics", "mrr"),
        ("qa/demo", {"metrics": ["rouge-1"]}, "qa.demo.metrics", "rouge-l"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(
    demo: dict[str, Any], section: str, keys: dict[str, Any], place: str, nearest: str
) -> None:
    with pytest.raises(InputError) as error:
        load(changed(demo, section, **keys))
    assert place in str(error.value)
    assert f"did you mean {nearest!r}?" in str(error.value)
    for name in choices()[next(setting for setting in choices() if fits(place, setting))]:
        assert name in str(error.value)


def fits(place: str, setting: str) -> bool:
    parts, names = place.split("."), setting.split(".")
    return len(parts) == len(names) and all(name in ("*", part) for part, name in zip(parts, names, strict=True))


@pytest.mark.parametrize(
    ("section", "keys", "expected"),
    [
        (
            "datasets/demo/corpus",
            {"format": "trec"},
            "datasets.demo.corpus.format names 'trec', which holds no passages; those that do: msmarco, beir,",
        ),
        (
            "trainings/replug",
            {"loss": "rand1lh"},
            "trainings.replug: loss kl goes with labels that are likelihoods",
        ),
        ("testsets/demo-dev", {"metrics": ["rprec@10"]}, "it has no cutoff; write rprec"),
        ("testsets/demo-dev", {"metrics": ["recall@1000"]}, "recall@1000 looks further down than `depth`, 100"),
        ("testsets/demo-dev", {"metrics": ["precision"]}, "without a cutoff; give it one, as in precision@10"),
        ("testsets/demo-dev", {"relevant": "answers", "metrics": ["map"]}, "map: with relevant: answers only"),
        ("qa/demo", {"metrics": ["bert-score"]}, "qa.demo: the metric bert-score needs `bert_score`"),
        (
            "qa/demo",
            {"bert_score": {"model": "all-minilm-l6-v2", "layer": 3}},
            "qa.demo: the metric bert-score needs `bert_score`, and the others do not",
        ),
    ],
)
def test_an_entry_that_does_not_fit_is_refused(
    demo: dict[str, Any], section: str, keys: dict[str, Any], expected: str
) -> None:
    with pytest.raises(InputError) as error:
        load(changed(demo, section, **keys))
    assert expected in str(error.value)


def test_every_setting_of_a_choice_is_one_of_the_reference() -> None:
    described = describe_configuration.reference()
    assert all(f"{name}: {text}" in described for names in choices().values() for name, text in names.items())


@pytest.mark.parametrize(
    ("positives", "soft", "expected"),
    [("several", False, {0, 1, 2}), ("human", False, {1}), ("first", False, {2}), ("several", True, {0, 1, 2, 3})],
)
def test_a_new_loss_says_what_is_drawn_for_it(
    monkeypatch: pytest.MonkeyPatch, positives: Any, soft: bool, expected: set[int]
) -> None:
    new = Loss(function=largest_score, description="", positives=positives, soft_labels=soft)
    monkeypatch.setitem(LOSSES, "new", new)
    labels, human = np.array([1, 1, 1, 0], np.float32), np.array([False, True, False, False])
    training = Training(labels="test", loss="new", train_group_size=4)
    drawn = draw("q", labels, human, np.array([0, 2, 1, 0], np.int32), training, epoch=0, average=2)
    assert set(drawn.positives) == expected


def test_a_new_pooling_makes_vectors(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    new = Pooling(
        function=lambda hidden, mask: hidden[:, -1], description="", saved_as={"pooling_mode_lasttoken": True}
    )
    monkeypatch.setitem(POOLINGS, "new", new)
    encoder = Encoder.load(save_tiny_bert(tmp_path / "tiny"), Backbone(model="tiny", pooling="new", passage_length=24))
    inputs = encoder.pad(encoder.token_ids(["red river"], "query"))
    hidden = encoder.model(*inputs).last_hidden_state
    torch.testing.assert_close(encoder(*inputs), hidden[:, -1])
    encoder.save(tmp_path / "saved")
    assert '"pooling_mode_lasttoken": true' in (tmp_path / "saved" / "1_Pooling" / "config.json").read_text()


def test_a_new_format_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    new = Format(
        description="",
        passages=read_new_passages,
        queries=read_new_queries,
        answers=read_new_answers,
        columns=True,
        key=str.lower,
    )
    monkeypatch.setitem(FORMATS, "new", new)
    source = Source(format="new", path="some/file")
    assert [row.docid for row in read_passages(source)] == ["file"]
    assert [row.text for row in read_queries(source.model_copy(update={"columns": {"text": "t"}}))] == ["t"]
    assert [row.query_id for row in read_answers(source)] == [answer_key(source, "Q", "ASKED")]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ({"format": "bier"}, "'bier' is no format (did you mean 'beir'?)"),
        ({"format": "trec"}, "format 'trec' holds no passages"),
        ({"format": "beir", "columns": {"docid": "id"}}, "`columns` are for the formats jsonl, json, csv, parquet"),
    ],
)
def test_a_source_that_cannot_be_read_is_refused(source: dict[str, Any], expected: str) -> None:
    with pytest.raises(InputError) as error:
        list(read_passages(Source(path="a", **source)))
    assert expected in str(error.value)


@pytest.mark.parametrize("uses_grades", [False, True])
def test_a_new_metric_is_computed_and_named(monkeypatch: pytest.MonkeyPatch, uses_grades: bool) -> None:
    def levels(judged: np.ndarray, retrieved: np.ndarray, cutoff: int, level: int) -> np.ndarray:
        return np.full(len(judged), 10.0 * cutoff + level)

    monkeypatch.setitem(METRICS, "new", Metric(function=levels, label="New", description="", uses_grades=uses_grades))
    qrels = QRELS.rows([{"query_id": "1", "docid": "a", "grade": 2}])
    run = RUN.rows([{"query_id": "1", "docid": "a", "rank": 1, "score": 1.0}])
    assert evaluate(qrels, run, ["new@3"], relevance_level=2).means() == {"new@3": 31.0 if uses_grades else 32.0}
    assert metric_name("new@3") == "New@3"


def test_a_new_metric_of_answers_is_computed_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def lengths(answered: Answered) -> Scores:
        return Scores([len(answer) / 10 for answer in answered.answers], figure=0.75)

    monkeypatch.setitem(ANSWER_METRICS, "new", AnswerMetric(function=lengths, label="New", description=""))
    result = evaluate_answers({"1": ["x"], "2": ["y"]}, {"1": "four", "2": None}, ("new", "em"))
    assert result.figures == {"new": 0.75, "em": 0.0}
    assert result.values["new"].tolist() == [0.4, 0.0], "a failed answer scores nothing"
    assert metric_name("new") == "New"


TABLES = {
    "training.losses:LOSSES": LOSSES,
    "training.pooling:POOLINGS": POOLINGS,
    "io.formats:FORMATS": FORMATS,
    "evaluation.metric_names:METRICS": METRICS,
    "evaluation.answer_metrics:ANSWER_METRICS": ANSWER_METRICS,
    "exports.forms:FORMS": FORMS,
}


@pytest.mark.parametrize("table", TABLES)
def test_each_entry_counts_by_itself_in_the_digest_of_code(root: Path, table: str) -> None:
    script = root / "workflow" / "scripts" / "train.py"
    names = list(TABLES[table])
    digests = {code_digest(script, None, (f"utility_annotation.{table}[{name}]",)) for name in names}
    assert len(digests) == len(names)


@pytest.mark.process
def test_a_configuration_is_checked_without_the_large_packages(root: Path) -> None:
    code = (
        "import sys, yaml; from utility_annotation.planning.loading import load; "
        "load(yaml.safe_load(open(sys.argv[1]))); print(*sys.modules)"
    )
    command = [sys.executable, "-c", code, str(root / "config" / "config.yaml")]
    scripts = root / "workflow" / "scripts"
    done = subprocess.run(command, cwd=scripts, capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "ranx", "numpy", "pyarrow", "pandas", "spacy", "matplotlib", "scipy"} & set(
        done.stdout.split()
    )
