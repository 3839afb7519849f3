"""Labels handed over: what each form holds, read by our readers and by the libraries that it is for."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import datasets
import export as script
import pyarrow.parquet as pq
import pytest
from command_line import BASE, arguments, write_configuration
from huggingface_hub import DatasetCard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from labelled_pool import CANDIDATES, POSITIVES, QUERIES, TEXTS, Labelled, write_labelled

from utility_annotation.annotation.replies import read_selection
from utility_annotation.common.errors import InputError
from utility_annotation.engines.protocol import Completion
from utility_annotation.exports.card import ExportSettings
from utility_annotation.exports.examples import Examples
from utility_annotation.exports.forms import FORMS, ExportFormat
from utility_annotation.exports.labels import export_labels
from utility_annotation.io.formats import beir, tevatron, trec
from utility_annotation.io.schemas import LABELS, passage_text

USED = [query_id for query_id in CANDIDATES if POSITIVES[query_id]]
SETTINGS: dict[str, Any] = {
    "name": "useful",
    "labels": {"pool": "small", "source": "utilsel", "annotator": "judge"},
    "pool": {"dataset": "set", "source": {"path": "rows.jsonl"}},
    "annotator": {"model": "llm", "precision": "bf16"},
    "model": {"hub": "some/LLM-7B"},
}


@pytest.fixture
def labelled(tmp_path: Path) -> Labelled:
    return write_labelled(tmp_path, CANDIDATES, POSITIVES)


def export(labelled: Labelled, form: str, folder: Path, *, titles: bool = True, **labels: Any) -> Path:
    chosen = SETTINGS | {"labels": SETTINGS["labels"] | labels, "pool": SETTINGS["pool"] | {"titles": titles}}
    if labels.get("source") in ("human", "replug", "file"):
        chosen["labels"] = {"pool": "small"} | labels
        chosen |= {"annotator": None, "model": None}
        if labels["source"] == "replug":
            chosen["labels"]["annotator"] = "judge"
    made = ExportSettings.model_validate(chosen)
    export_labels(made, form, labelled.labels, labelled.shards, labelled.quality, folder / form)
    return folder / form


def run_script(labelled: Labelled, form: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same from a configuration, with the files where the workflow leaves them."""
    folder = labelled.labels.parent
    monkeypatch.chdir(folder)
    for file, place in (
        (labelled.labels, "labels/useful.parquet"),
        (labelled.quality, "quality/useful.json"),
        *((shard, f"pools/small/{shard.name}") for shard in labelled.shards),
    ):
        link = folder / "results" / place
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(file)
    config = write_configuration(
        folder / "config.yaml",
        models={"llm": SETTINGS["model"]},
        datasets={"set": BASE["datasets"]["data"]},
        pools={"small": SETTINGS["pool"] | {"shards": len(labelled.shards)}},
        annotators={"judge": SETTINGS["annotator"]},
        labels={"useful": SETTINGS["labels"]},
    )
    script.main(arguments("labels", config=config, labels="useful", format=form, output=folder / "written"))
    return folder / "written"


def test_the_script_writes_what_the_function_does(
    labelled: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = export(labelled, "tevatron", tmp_path)
    written = run_script(labelled, "tevatron", monkeypatch)
    assert {path.name: path.read_bytes() for path in written.iterdir() if path.suffix != ".md"} == {
        path.name: path.read_bytes() for path in expected.iterdir() if path.suffix != ".md"
    }
    card = (written / "README.md").read_text()
    assert "some/LLM-7B" in card
    assert "labels of small" in card


def negatives(query_id: str) -> list[str]:
    return [docid for docid in CANDIDATES[query_id] if docid not in POSITIVES[query_id]]


def full(docids: Iterable[str]) -> list[str]:
    return [passage_text(*TEXTS[docid]) for docid in docids]


def test_a_new_form_is_exported_by_its_entry_alone(
    labelled: Labelled, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(examples: Examples, folder: Path) -> None:
        (folder / "queries.txt").write_text("\n".join(example.query_id for example in examples))

    monkeypatch.setitem(FORMS, "new", ExportFormat(title="New", loading="cat queries.txt", writer=write))
    folder = export(labelled, "new", tmp_path)
    assert sorted((folder / "queries.txt").read_text().split()) == sorted(QUERIES)
    assert "in the format of New" in (folder / "README.md").read_text()
    assert "cat queries.txt" in (folder / "README.md").read_text()


def test_an_unknown_form_is_refused(
    labelled: Labelled, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(SystemExit):
        run_script(labelled, "tevatorn", monkeypatch)
    assert "argument --format: invalid choice: 'tevatorn'" in capsys.readouterr().err


def test_tevatron_rows_carry_the_passages_best_positive_first(labelled: Labelled, tmp_path: Path) -> None:
    rows = {row.query_id: row for row in tevatron.read_rows(export(labelled, "tevatron", tmp_path) / "train.jsonl")}
    assert sorted(rows) == USED, "a query without a positive trains nothing"
    for query_id, row in rows.items():
        assert (row.query, row.positives, row.negatives) == (
            QUERIES[query_id],
            POSITIVES[query_id],
            negatives(query_id),
        )
        assert row.passages == {docid: (TEXTS[docid][0] or None, TEXTS[docid][1]) for docid in CANDIDATES[query_id]}


def test_titles_that_retrievers_do_not_read_are_not_exported(labelled: Labelled, tmp_path: Path) -> None:
    for row in tevatron.read_rows(export(labelled, "tevatron", tmp_path, titles=False) / "train.jsonl"):
        assert row.passages == {docid: (None, TEXTS[docid][1]) for docid in CANDIDATES[row.query_id]}


def test_tevatrons_second_version_has_ids_and_a_corpus_in_which_each_stands_once(
    labelled: Labelled, tmp_path: Path
) -> None:
    folder = export(labelled, "tevatron-v2", tmp_path)
    rows = {row.query_id: row for row in tevatron.read_id_rows(folder / "train.jsonl")}
    assert {query_id: row.positives for query_id, row in rows.items()} == {key: POSITIVES[key] for key in USED}
    assert all(row.negatives == negatives(query_id) for query_id, row in rows.items())
    corpus = [json.loads(line) for line in (folder / "corpus.jsonl").read_text().splitlines()]
    assert sorted(row["docid"] for row in corpus) == sorted(TEXTS)
    assert {row["docid"]: row["text"] for row in corpus} == {docid: passage_text(*TEXTS[docid]) for docid in TEXTS}


def test_sentence_transformers_has_a_row_a_positive_and_repeats_the_negatives_of_a_query_with_few(
    labelled: Labelled, tmp_path: Path
) -> None:
    table = pq.read_table(export(labelled, "sentence-transformers", tmp_path) / "train.parquet")
    assert table.column_names == ["anchor", "positive", "negative_1", "negative_2", "negative_3"]
    assert list(map(len, map(negatives, USED))) == [2, 3, 3]
    rows = [list(row.values()) for row in table.to_pylist()]
    expected = [
        [QUERIES[query_id], *full([docid]), *full((negatives(query_id) * 2)[:3])]
        for query_id in USED
        for docid in POSITIVES[query_id]
    ]
    assert sorted(rows) == sorted(expected)


def test_sentence_transformers_loss_takes_the_columns_as_they_come(labelled: Labelled, tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.losses import MultipleNegativesRankingLoss
    from tiny_bert import save_tiny_bert

    file = export(labelled, "sentence-transformers", tmp_path) / "train.parquet"
    train = datasets.load_dataset("parquet", data_files=str(file), split="train", cache_dir=str(tmp_path / "cache"))
    model = SentenceTransformer(str(save_tiny_bert(tmp_path / "tiny")), device="cpu")
    loss = MultipleNegativesRankingLoss(model)(
        [model.tokenize(train[column][:]) for column in train.column_names], None
    )
    loss.backward()
    assert loss.isfinite()
    assert any(parameter.grad is not None for parameter in model.parameters())


def test_flag_embedding_has_lists_of_texts(labelled: Labelled, tmp_path: Path) -> None:
    file = export(labelled, "flag-embedding", tmp_path) / "train.jsonl"
    rows = {row["query"]: row for row in map(json.loads, file.read_text().splitlines())}
    assert rows == {
        QUERIES[key]: {"query": QUERIES[key], "pos": full(POSITIVES[key]), "neg": full(negatives(key))} for key in USED
    }


def test_beir_has_every_query_the_pools_passages_and_the_positives(labelled: Labelled, tmp_path: Path) -> None:
    folder = export(labelled, "beir", tmp_path)
    assert {query.query_id: query.text for query in beir.read_queries(folder)} == QUERIES
    passages = {passage.docid: (passage.title, passage.text) for passage in beir.read_passages(folder)}
    assert passages == {docid: (title or None, text) for docid, (title, text) in TEXTS.items()}
    judged = {(row.query_id, row.docid): row.grade for row in beir.read_judgements(folder)}
    assert judged == {(query_id, docid): 1 for query_id, docids in POSITIVES.items() for docid in docids}


def test_trec_has_every_candidate_judged(labelled: Labelled, tmp_path: Path) -> None:
    folder = export(labelled, "trec", tmp_path)
    judged = {(row.query_id, row.docid): row.grade for row in trec.read_judgements(folder / "qrels.txt")}
    assert judged == {
        (query_id, docid): int(docid in POSITIVES[query_id])
        for query_id, docids in CANDIDATES.items()
        for docid in docids
    }
    topics = dict(line.split("\t") for line in (folder / "topics.tsv").read_text().splitlines())
    assert topics == QUERIES | {"q1": "why does water run?"}


@pytest.mark.parametrize(("form", "reader", "file"), [("beir", beir, ""), ("trec", trec, "qrels.txt")])
def test_qrels_have_the_grades_of_labels_that_have_some(
    labelled: Labelled, tmp_path: Path, form: str, reader: ModuleType, file: str
) -> None:
    rows = LABELS.read(labelled.labels).to_pylist()
    for row in rows:
        row["label"] *= 3 if row["docid"] == "c" else 1
    LABELS.write(labelled.labels, LABELS.rows(rows))
    judged = {
        (row.query_id, row.docid): row.grade for row in reader.read_judgements(export(labelled, form, tmp_path) / file)
    }
    assert (judged["q1", "c"], judged["q1", "a"]) == (3, 1)


@pytest.mark.parametrize("form", FORMS)
def test_nothing_but_the_forms_files_is_left(labelled: Labelled, tmp_path: Path, form: str) -> None:
    beside = {"trec": {"qrels.txt", "topics.tsv"}, "beir": {"qrels"}}.get(form, set())
    files = {path.name for path in export(labelled, form, tmp_path).iterdir()}
    assert files == {"README.md", *FORMS[form].files.values(), *beside}


@pytest.mark.parametrize("form", [name for name, form in FORMS.items() if form.files])
def test_the_hubs_library_loads_a_folder_by_its_card(labelled: Labelled, tmp_path: Path, form: str) -> None:
    folder = export(labelled, form, tmp_path)
    for part in FORMS[form].files:
        (split,) = datasets.load_dataset(str(folder), part, cache_dir=str(tmp_path / "cache")).values()
        assert len(split)


@pytest.mark.parametrize("form", FORMS)
def test_the_card_says_what_it_is(labelled: Labelled, tmp_path: Path, form: str) -> None:
    folder = export(labelled, form, tmp_path)
    card = DatasetCard.load(folder / "README.md")
    assert card.data.task_categories == ["text-retrieval"]
    for said in ("useful", FORMS[form].title, "some/LLM-7B", "rows.jsonl", "utility selection", "EMNLP 2025"):
        assert said in card.text
    held = ("questions | 3", "left out, without a positive | 1", "per question | 1.33", "negatives | 8")
    judged = ("questions | 4", "| without a positive | 1", "per question | 1.00", "negatives | 11")
    for row in ("positives | 4", *(held if FORMS[form].trains else judged)):
        assert f"{row} |" in card.text
    assert "| precision of the human positives, % | 50.0 |" in card.text
    assert "| rankings of only some of the passages | 2 |" in card.text
    assert "| Cohen's kappa | 0.250 |" in card.text
    assert "ok 3, empty 1" in card.text


def test_the_card_names_a_file_of_the_hub_by_its_address(labelled: Labelled, tmp_path: Path) -> None:
    file = {"format": "trec", "path": "hub:org/labels@v1/a b.txt"}
    text = (export(labelled, "trec", tmp_path, source="file", file=file) / "README.md").read_text()
    assert "| file | hub:org/labels@v1/a b.txt (trec) |" in text


def test_the_card_of_human_labels_does_not_compare_them_with_themselves(labelled: Labelled, tmp_path: Path) -> None:
    text = (export(labelled, "trec", tmp_path, source="human") / "README.md").read_text()
    assert "human positives of the pool" in text
    assert "Beside human labels" not in text


@pytest.mark.parametrize("form", [name for name, form in FORMS.items() if form.trains])
def test_a_query_without_a_negative_is_left_out_of_training_rows_and_counted(
    labelled: Labelled, tmp_path: Path, form: str
) -> None:
    """One such query took every column of negatives from sentence-transformers, and gave the others empty lists."""
    (tmp_path / "more").mkdir()
    more = write_labelled(tmp_path / "more", CANDIDATES | {"q5": "ae"}, POSITIVES | {"q5": ["a", "e"]})
    (file,) = set(FORMS[form].files.values()) - {"corpus.jsonl"}
    folder, expected = export(more, form, tmp_path / "more"), export(labelled, form, tmp_path)

    def rows(path: Path) -> list[Any]:
        lines = pq.read_table(path).to_pylist() if path.suffix == ".parquet" else path.read_text().splitlines()
        return sorted(map(str, lines))

    assert rows(folder / file) == rows(expected / file)
    assert "| left out, without a negative | 1 |" in (folder / "README.md").read_text()
    with pytest.raises(InputError, match="no query has a positive and a negative"):
        export(write_labelled(tmp_path, {"q1": "ab", "q2": "cd"}, {"q1": ["a", "b"], "q2": []}), form, tmp_path / "x")


def test_the_card_of_sentence_transformers_keeps_a_query_from_being_its_own_negative() -> None:
    """A query has a row per positive, which would be negatives of one another in one batch."""
    from sentence_transformers.sentence_transformer.training_args import BatchSamplers

    assert BatchSamplers.NO_DUPLICATES.value == "no_duplicates"
    loading = FORMS["sentence-transformers"].loading
    compile(loading, "card", "exec")
    assert "batch_sampler=BatchSamplers.NO_DUPLICATES" in loading


def test_labels_without_any_positive_are_refused(tmp_path: Path) -> None:
    labelled = write_labelled(tmp_path, {"q1": "ab", "q2": "cd"}, {"q1": [], "q2": []})
    with pytest.raises(InputError, match="no query has a positive and a negative"):
        export(labelled, "tevatron", tmp_path)


POOLS = st.dictionaries(
    st.sampled_from(["q1", "q2", "q3", "q4"]),
    st.lists(st.sampled_from("abcde"), min_size=1, unique=True).flatmap(
        lambda docids: st.tuples(st.just("".join(docids)), st.lists(st.sampled_from(docids), unique=True))
    ),
    min_size=2,
).filter(lambda pools: any(0 < len(positives) < len(docids) for docids, positives in pools.values()))


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    return lambda: tmp_path_factory.mktemp("pool")


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(pools=POOLS)
def test_training_rows_split_each_pool_into_its_positives_and_the_rest(
    fresh: Callable[[], Path], pools: dict[str, tuple[str, list[str]]]
) -> None:
    folder = fresh()
    candidates = {query_id: docids for query_id, (docids, _) in pools.items()}
    positives = {query_id: chosen for query_id, (_, chosen) in pools.items()}
    exported = export(write_labelled(folder, candidates, positives), "tevatron", folder)
    rows = {row.query_id: (row.positives, row.negatives) for row in tevatron.read_rows(exported / "train.jsonl")}
    assert rows == {
        query_id: (chosen, [docid for docid in docids if docid not in chosen])
        for query_id, (docids, chosen) in pools.items()
        if chosen and len(chosen) < len(docids)
    }


def test_a_conversation_shows_the_pool_in_its_order_and_is_answered_by_a_readable_selection(
    labelled: Labelled, tmp_path: Path
) -> None:
    rows = [json.loads(line) for line in (export(labelled, "trl", tmp_path) / "train.jsonl").read_text().splitlines()]
    assert len(rows) == len(CANDIDATES)  # a question without a positive too
    assert not all(POSITIVES.values())
    by_question = {row["prompt"][0]["content"].split("Question: ")[1].split("\n")[0]: row for row in rows}
    for query_id, docids in CANDIDATES.items():
        row = by_question[" ".join(QUERIES[query_id].split())]
        (turn,), (reply,) = row["prompt"], row["completion"]
        assert (turn["role"], reply["role"]) == ("user", "assistant")
        shown = [line.split("] ", 1)[1] for line in turn["content"].splitlines() if line.startswith("[")]
        assert shown == [" ".join(text.split()) for text in full(docids)]
        reading = read_selection(Completion(reply["content"], "stop", 0, 0), len(docids))
        assert [docids[number - 1] for number in reading.numbers] == POSITIVES[query_id]
        assert reading.outcome == ("ok" if POSITIVES[query_id] else "empty")


def test_a_card_says_by_which_metric_a_passage_is_positive(labelled: Labelled, tmp_path: Path) -> None:
    card = DatasetCard.load(
        export(labelled, "beir", tmp_path, source="gain-short", metric="f1", margin=0.2) / "README.md"
    )
    assert "| positive | F1 of the answer with it is higher by more than 0.2 |" in card.text
    assert "| decoding of answers |" in card.text
    assert "permutations" not in card.text


def test_a_card_of_a_part_of_a_pool_names_the_pool(labelled: Labelled, tmp_path: Path) -> None:
    part = SETTINGS | {"pool": {"dataset": "set", "source": {"format": "pool", "pool": "whole"}}}
    made = ExportSettings.model_validate(part)
    export_labels(made, "trec", labelled.labels, labelled.shards, labelled.quality, tmp_path / "part")
    text = (tmp_path / "part" / "README.md").read_text()
    assert "| pool | small: a part of the questions of whole, of dataset set, train |" in text
    assert "bm25" not in text
