"""Labels and pool joined, and what is said where they do not fit."""

from __future__ import annotations

import pytest

from utility_annotation.common.errors import InputError
from utility_annotation.io.schemas import LABELS
from utility_annotation.training.data import TrainingData, join


@pytest.fixture
def joined(collection, tmp_path):
    def build(shards=None):
        join(collection.labels_path, shards or collection.shards, tmp_path / "data.arrow")
        return TrainingData(tmp_path / "data.arrow")

    return build


def test_every_labelled_query_has_its_candidates_labels_and_texts(collection, joined):
    data = joined()
    assert len(data) == 10
    for place in range(len(data)):
        pool = data.candidates(place)
        assert dict(zip(pool.docids, pool.labels.tolist(), strict=True)) == collection.labels[pool.query_id]
        assert data.query(place) == f"{pool.query_id} red stone"
        by_docid = {candidate["docid"]: candidate for candidate in collection.pool[pool.query_id]}
        for index, docid in enumerate(pool.docids):
            assert data.passage(place, index) == by_docid[docid]["text"]
            assert pool.human[index] == by_docid[docid]["human"]


def test_titles_can_be_left_out(collection, tmp_path):
    for candidates in collection.pool.values():
        candidates[0]["title"] = "Title"
    collection.write()
    texts = {}
    for titles in (True, False):
        path = tmp_path / f"{titles}.arrow"
        join(collection.labels_path, collection.shards, path, titles=titles)
        data = TrainingData(path)
        texts[titles] = [data.passage(0, place) for place in range(len(data.candidates(0).docids))]
    assert texts[True] == [f"Title {texts[False][0]}", *texts[False][1:]]


def test_places_do_not_depend_on_the_order_of_shards(collection, joined):
    ids = [
        [data.candidates(place).query_id for place in range(10)] for data in (joined(), joined(collection.shards[::-1]))
    ]
    assert ids[0] == ids[1] == sorted(ids[0])


def test_candidates_stand_in_the_order_of_the_pool(collection, joined):
    assert joined().candidates(3).docids == [candidate["docid"] for candidate in collection.pool["q3"]]


def test_labels_in_another_order_than_the_pool(collection, joined):
    collection.labels["q3"] = dict(reversed(collection.labels["q3"].items()))
    collection.write()
    with pytest.raises(InputError, match=r"labels\.parquet: these are not the candidates of pool shard"):
        joined()


def test_ranks_are_those_of_the_labels_and_0_for_what_is_on_no_list(collection, joined):
    collection.ranks = {docid: rank for rank, docid in enumerate(sorted(collection.labels["q3"])[:5], start=1)}
    collection.write()
    pool = joined().candidates(3)
    assert sorted(pool.ranks.tolist()) == [0, 0, 0, 1, 2, 3, 4, 5]
    assert dict(zip(pool.docids, pool.ranks.tolist(), strict=True)) == {
        docid: collection.ranks.get(docid, 0) for docid in pool.docids
    }


def test_title_and_text_are_joined_and_a_missing_title_is_no_word(collection, joined):
    collection.pool["q0"][0] |= {"title": "Ship", "text": "red"}
    collection.pool["q0"][1] |= {"title": None, "text": "blue"}
    collection.write()
    data = joined()
    assert [data.passage(0, index) for index in (0, 1)] == ["Ship red", "blue"]


def test_a_subset_of_queries_may_be_labelled(collection, joined):
    for query_id in ("q0", "q4", "q7"):
        del collection.labels[query_id]
    collection.write()
    data = joined()
    assert [data.candidates(place).query_id for place in range(len(data))] == ["q1", "q2", "q3", "q5", "q6", "q8", "q9"]


def test_all_labels_are_those_of_each_query(collection, joined):
    data = joined(collection.shards[::-1])
    labels, human, owners = data.all_labels()
    for place in range(len(data)):
        pool = data.candidates(place)
        assert labels[owners == place].tolist() == pool.labels.tolist()
        assert human[owners == place].tolist() == pool.human.tolist()


def test_a_labelled_passage_that_is_not_in_the_pool(collection, joined):
    collection.labels["q5"]["stranger"] = 1.0
    collection.write()
    with pytest.raises(InputError, match=r"labels\.parquet: these are not the candidates of pool shard"):
        joined()


def test_a_labelled_query_that_is_in_no_shard(collection, joined, tmp_path):
    with pytest.raises(InputError, match="query 'q5' is labelled, but no pool file has it"):
        joined(collection.shards[:1])
    assert not (tmp_path / "data.arrow").exists()


def test_a_shard_given_twice(collection, joined):
    with pytest.raises(InputError, match="query 'q0' stands twice in the pool"):
        joined([*collection.shards, collection.shards[0]])


def test_a_candidate_that_stands_twice(collection, joined):
    collection.pool["q2"][1] = dict(collection.pool["q2"][0])
    collection.write()
    with pytest.raises(InputError, match="these are not the candidates of pool shard"):
        joined()


def test_labels_without_rows(collection, joined):
    LABELS.write(collection.labels_path, LABELS.rows([]))
    with pytest.raises(InputError, match="there are no labels"):
        joined()
