"""Labels by a vote of other label sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import label as script
import numpy as np
import pytest
from command_line import arguments, configuration, write_configuration
from judged_pools import Pool, write_pool

from utility_annotation.common.errors import InputError
from utility_annotation.common.files import read_json
from utility_annotation.io.label_values import IGNORED
from utility_annotation.io.schemas import LABELS
from utility_annotation.labels.vote import label_by_vote, members_of_vote
from utility_annotation.settings import Labels

POOL: Pool = {"q1": [("a", True), ("b", False), ("c", False)], "q2": [("d", False)]}
Rows = dict[str, dict[str, float]]
"""Query id → docid → label."""
ONE: Rows = {"q1": {"a": 1, "b": 1, "c": IGNORED}, "q2": {"d": 1}}
TWO: Rows = {"q1": {"a": 1, "b": 0, "c": IGNORED}}
THREE: Rows = {"q1": {"a": 3, "b": 0, "c": 0}}


def member(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    columns = [
        {"query_id": query_id, "docid": docid, "label": label, "source": "test"}
        for query_id, of_query in rows.items()
        for docid, label in of_query.items()
    ]
    LABELS.write(path, LABELS.rows(columns))
    return path


def rows_of(path: Path) -> Rows:
    rows: Rows = {}
    for row in LABELS.read(path).to_pylist():
        rows.setdefault(row["query_id"], {})[row["docid"]] = row["label"]
    return rows


def voted(folder: Path, members: list[Rows], pool: Pool = POOL, shards: int = 1, **keys: Any) -> Rows:
    names = [f"m{place}" for place in range(len(members))]
    settings = Labels(**{"pool": "pool", "source": "vote", "of": names, **keys})
    files = [member(folder / f"{name}.parquet", rows) for name, rows in zip(names, members, strict=True)]
    label_by_vote(settings, write_pool(folder / "pool", pool, shards), files, folder / "voted.parquet")
    return rows_of(folder / "voted.parquet")


def test_the_majority_of_those_who_vote_decides(tmp_path: Path) -> None:
    assert voted(tmp_path, [ONE, TWO, THREE]) == {"q1": {"a": 1, "b": 0, "c": 0}, "q2": {"d": 1}}
    ranks = {row["docid"]: row["rank"] for row in LABELS.read(tmp_path / "voted.parquet").to_pylist()}
    assert ranks == {"a": 1, "b": None, "c": None, "d": 1}


def test_what_nobody_votes_on_is_ignored(tmp_path: Path) -> None:
    assert voted(tmp_path, [ONE, TWO]) == {"q1": {"a": 1, "b": 1, "c": IGNORED}, "q2": {"d": 1}}


def test_weights_and_the_threshold_decide(tmp_path: Path) -> None:
    heavy = voted(tmp_path / "heavy", [ONE, TWO, THREE], weights={"m0": 2.0})
    assert heavy["q1"] == {"a": 1, "b": 1, "c": 0}
    strict = voted(tmp_path / "strict", [ONE, TWO, THREE], weights={"m0": 2.0}, threshold=0.6)
    assert strict["q1"] == {"a": 1, "b": 0, "c": 0}


def test_the_most_probable_positive_is_listed_first(tmp_path: Path) -> None:
    voted(tmp_path, [{"q1": {"a": 0, "b": 1, "c": 1}}, {"q1": {"a": 0, "b": 0, "c": 1}}])
    ranks = {row["docid"]: row["rank"] for row in LABELS.read(tmp_path / "voted.parquet").to_pylist()}
    assert ranks == {"a": None, "b": 2, "c": 1}


def test_a_vote_of_members_who_say_nothing_is_refused(tmp_path: Path) -> None:
    silent: Rows = {"q1": dict.fromkeys("abc", IGNORED)}
    with pytest.raises(InputError, match="none of m0, m1, m2 calls a candidate positive or negative"):
        voted(tmp_path, [silent] * 3, voting="dawid-skene")


def _many(right: tuple[float, ...]) -> tuple[Pool, list[Rows], Rows]:
    """A pool, members who are right so often, and the truth."""
    rng = np.random.default_rng(3)
    ids = [f"d{number}" for number in range(10)]
    pool: Pool = {f"q{number:03d}": [(docid, False) for docid in ids] for number in range(120)}
    truth = {query_id: dict(zip(ids, (rng.random(10) < 0.3).astype(float), strict=True)) for query_id in pool}
    members = [
        {
            query_id: {docid: value if rng.random() < share else 1 - value for docid, value in of_query.items()}
            for query_id, of_query in truth.items()
        }
        for share in right
    ]
    return pool, members, truth


@pytest.mark.parametrize("shards", [1, 3])
def test_the_model_trusts_one_good_member_more_than_two_who_guess(tmp_path: Path, shards: int) -> None:
    pool, members, truth = _many((0.95, 0.95, 0.55, 0.55, 0.55))
    found = {
        voting: voted(tmp_path / voting, members, pool, shards, voting=voting) for voting in ("share", "dawid-skene")
    }
    wrong = {
        voting: sum(rows[query_id] != of_query for query_id, of_query in truth.items())
        for voting, rows in found.items()
    }
    assert wrong["dawid-skene"] < wrong["share"] / 2
    settings = Labels(pool="pool", source="vote", of=tuple(f"m{place}" for place in range(5)))
    files = [tmp_path / "share" / f"m{place}.parquet" for place in range(5)]
    trust = members_of_vote(settings, sorted((tmp_path / "share" / "pool").glob("*.parquet")), files)
    np.testing.assert_allclose([each["accuracy"] for each in trust.values()], [0.95, 0.95, 0.55, 0.55, 0.55], atol=0.05)


def test_a_vote_and_its_quality_are_made_by_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_pool(Path("results/pools/pool"), POOL)
    sets = {name: {"pool": "pool", "source": "human"} for name in ("m0", "m1", "m2")}
    sets |= {"voted": {"pool": "pool", "source": "vote", "of": [*sets], "voting": "dawid-skene"}}
    config = write_configuration(tmp_path / "config.yaml", labels=sets)
    for name, rows in (("m0", ONE), ("m1", TWO), ("m2", THREE)):
        member(Path(f"results/labels/{name}.parquet"), rows)
    output = Path("results/labels/voted.parquet")
    script.main(arguments("merge", config=config, labels="voted", output=output))
    script.main(arguments("quality", config=config, labels="voted", output="quality.json"))
    quality = read_json(Path("quality.json"), "members")
    assert quality["members"].keys() == {"m0", "m1", "m2"}
    assert rows_of(output)["q1"]["a"] == 1


@pytest.mark.parametrize(
    ("keys", "problem"),
    [
        ({"of": ["human", "useful"], "voting": "dawid-skene"}, "needs three label sets"),
        ({"of": ["human", "useful"], "weights": {"other": 2}}, "'other', which is not in `of`"),
        ({"of": ["human", "useful"], "weights": {"human": 0}}, "weights"),
        ({"of": ["human"]}, "two label sets or more"),
    ],
)
def test_a_vote_that_cannot_be_counted_is_refused(keys: dict[str, Any], problem: str) -> None:
    sets = {
        "human": {"pool": "pool", "source": "human"},
        "useful": {"pool": "pool", "source": "utilsel", "annotator": "judge"},
        "voted": {"pool": "pool", "source": "vote", **keys},
    }
    with pytest.raises(InputError, match=problem):
        configuration(labels=sets)
