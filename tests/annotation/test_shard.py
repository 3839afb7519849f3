"""The loop over a shard: one row a query whatever happens, nothing asked twice, retries and cuts where they help."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from utility_annotation.annotation.items import Item, Passage
from utility_annotation.annotation.listwise import Listwise
from utility_annotation.annotation.prompts import PromptSanitizer, PromptTemplate
from utility_annotation.annotation.relevance import relevance_stage
from utility_annotation.annotation.replies import RANKING, SELECTION
from utility_annotation.annotation.replug import ReplugStage
from utility_annotation.annotation.shard import annotate
from utility_annotation.annotation.utility import Utility
from utility_annotation.common.errors import InputError
from utility_annotation.engines.protocol import Completion, Failure, ReplyRequest, TooLong
from utility_annotation.engines.store import CompletionStore
from utility_annotation.io.schemas import ANNOTATION
from utility_annotation.settings import Annotator, Pointwise, Retries, Sampling

ITEM = Item("q", "who?", (Passage("a", "one"), Passage("b", "two"), Passage("c", "three")), answer="me")
NONE = Retries(max_retries=0)


@pytest.fixture
def template(root: Path):
    return lambda name: PromptTemplate(root / "resources" / "prompts" / f"{name}.j2", PromptSanitizer([]))


def items(count: int) -> list[Item]:
    """Queries with four candidates each."""
    return [
        Item(f"q{n}", f"question {n}?", tuple(Passage(f"d{n}{x}", f"text {x} {n}") for x in "abcd"), answer="an answer")
        for n in range(count)
    ]


def rows_of(path: Path) -> list[dict]:
    return ANNOTATION.read(path).to_pylist()


class Scripted:
    """An engine whose replies a test writes: misbehaviour that no real model shows on demand."""

    fingerprint = "scripted"
    special_tokens: frozenset[str] = frozenset()

    def __init__(self, reply: Callable[[ReplyRequest], str | Completion | Failure]) -> None:
        self.reply = reply
        self.asked: list[ReplyRequest] = []

    def generate(self, requests: Sequence[ReplyRequest]) -> Iterator[tuple[int, Completion | Failure]]:
        for index, request in enumerate(requests):
            self.asked.append(request)
            said = self.reply(request)
            yield index, Completion(said, "stop", 100, 10) if isinstance(said, str) else said

    def log_likelihood(self, requests):
        assert not requests
        return iter(())


def judged(
    folder: Path, engine, stage, shown: Sequence[Item] = (ITEM,), retries: Retries = NONE, name: str = "out"
) -> list[dict]:
    with CompletionStore(folder / "store") as store:
        annotate(shown, stage, engine, store, retries, folder / name)
    return rows_of(folder / name)


def test_unreadable_reply_is_asked_again_hotter_until_it_can_be_read(
    annotator: Annotator, template, tmp_path: Path
) -> None:
    stage = Listwise(annotator, template("relsel"), SELECTION)
    engine = Scripted(lambda request: "My selection:[[2]]" if request.sampling.temperature > 0.5 else "The second one.")
    (row,) = judged(tmp_path, engine, stage, retries=Retries(max_retries=5, temperature_step=0.3))
    assert [request.sampling.temperature for request in engine.asked] == pytest.approx([0, 0.3, 0.6])
    assert [request.sampling.seed for request in engine.asked] == [0, 1, 2]
    assert (row["outcome"], row["docids"], row["replies"]) == ("ok", ["b"], ["My selection:[[2]]"])
    assert (row["attempts"], row["prompt_tokens"], row["completion_tokens"]) == (3, 300, 30)


def test_retries_are_bounded_and_then_the_reply_is_recorded_as_it_is(
    annotator: Annotator, template, tmp_path: Path
) -> None:
    engine = Scripted(lambda request: f"No idea at {request.sampling.temperature}.")
    (row,) = judged(
        tmp_path, engine, Listwise(annotator, template("relsel"), SELECTION), retries=Retries(max_retries=2)
    )
    assert (row["outcome"], row["docids"], row["attempts"]) == ("unparsable", None, 3)
    assert row["replies"] == ["No idea at 0.6."]


def test_temperature_is_never_raised_above_what_engines_take(annotator: Annotator, template, tmp_path: Path) -> None:
    engine = Scripted(lambda request: "Hm.")
    stage = Listwise(annotator, template("relsel"), SELECTION)
    (row,) = judged(tmp_path, engine, stage, retries=Retries(max_retries=6, temperature_step=0.7))
    assert [request.sampling.temperature for request in engine.asked] == pytest.approx([0, 0.7, 1.4, 2, 2, 2, 2])
    assert len({request.sampling.seed for request in engine.asked}) == 7
    assert row["outcome"] == "unparsable"


@pytest.mark.parametrize("failure", [Failure("the server answers 500"), TooLong("no room", 0.5)])
def test_reply_stays_where_asking_again_fails(
    annotator: Annotator, template, tmp_path: Path, failure: Failure, caplog: pytest.LogCaptureFixture
) -> None:
    engine = Scripted(lambda request: failure if request.sampling.temperature else "The second one.")
    stage = Listwise(annotator, template("relsel"), SELECTION)
    (row,) = judged(tmp_path, engine, stage, retries=Retries(max_retries=5))
    assert (row["outcome"], row["replies"], row["attempts"]) == ("unparsable", ["The second one."], 2)
    assert failure.reason in caplog.text


@pytest.mark.parametrize(
    ("text", "finish_reason", "outcome"),
    [("My selection:[]", "stop", "empty"), ("My selection:[[1", "length", "truncated")],
)
def test_readable_and_truncated_replies_are_not_asked_again(
    annotator: Annotator, template, tmp_path: Path, text: str, finish_reason: str, outcome: str
) -> None:
    engine = Scripted(lambda request: Completion(text, finish_reason, 1, 1))
    (row,) = judged(
        tmp_path, engine, Listwise(annotator, template("relsel"), SELECTION), retries=Retries(max_retries=3)
    )
    assert (row["outcome"], row["attempts"], len(engine.asked)) == (outcome, 1, 1)


def test_only_the_unreadable_queries_of_a_shard_are_asked_again(annotator: Annotator, template, tmp_path: Path) -> None:
    def reply(request: ReplyRequest) -> str:
        stubborn = "question 1?" in request.chat[-1].content and not request.sampling.temperature
        return "Hm." if stubborn else "My selection:[[1]]"

    engine = Scripted(reply)
    rows = judged(
        tmp_path, engine, Listwise(annotator, template("relsel"), SELECTION), items(3), Retries(max_retries=1)
    )
    assert [row["attempts"] for row in rows] == [1, 2, 1]
    assert len(engine.asked) == 4


def test_retries_of_an_earlier_job_come_from_the_store(annotator: Annotator, template, tmp_path: Path) -> None:
    stage = Listwise(annotator, template("relsel"), SELECTION)
    first = Scripted(lambda request: "My selection:[[2]]" if request.sampling.temperature else "The second one.")
    before = judged(tmp_path, first, stage, retries=Retries(max_retries=1))
    refusing = Scripted(lambda request: pytest.fail("asked again"))
    assert judged(tmp_path, refusing, stage, retries=Retries(max_retries=1), name="again") == before


class Counting(CompletionStore):
    """Counts how often it is searched."""

    searches = 0

    def find(self, keys):
        self.searches += 1
        return super().find(keys)


def test_store_is_searched_again_only_where_an_earlier_job_may_have_got_as_far(
    annotator: Annotator, template, tmp_path: Path
) -> None:
    """A shard whose prompts are all too long has stored nothing before it cuts them."""
    stage, retries = Listwise(annotator, template("relsel"), SELECTION), Retries(max_retries=2)

    def searches(folder: str, engine: Scripted, shown: Sequence[Item]) -> int:
        with Counting(tmp_path / folder) as store:
            annotate(shown, stage, engine, store, retries, tmp_path / "out")
        return store.searches

    unreadable = Scripted(lambda request: "Hm.")
    assert searches("fresh", unreadable, items(3)) == 1
    assert searches("fresh", unreadable, items(3)) == 3
    assert len(unreadable.asked) == 9, "the second time all came from the store"
    assert searches("fresh", unreadable, items(4)) == 3
    assert len(unreadable.asked) == 12, "one query was new"
    long = [replace(ITEM, passages=tuple(Passage(docid, "word " * 100) for docid in "abc"))]
    assert searches("long", limited(150), long) > 1


def words_shown(request: ReplyRequest) -> list[int]:
    return [turn.content.count("word") for turn in request.chat if turn.role == "user" and turn.content.startswith("[")]


def limited(words: int) -> Scripted:
    """Has room for so many words of passages."""

    def reply(request: ReplyRequest) -> str | Failure:
        shown = sum(words_shown(request))
        return "My selection:[[1]]" if shown <= words else TooLong(f"{shown} words", words / shown)

    return Scripted(reply)


def test_prompt_without_room_is_served_with_its_longest_passages_cut_to_a_common_length(
    annotator: Annotator, template, tmp_path: Path
) -> None:
    long = replace(
        ITEM, query_id="long", passages=tuple(Passage(d, "word " * n) for d, n in (("a", 200), ("b", 30), ("c", 120)))
    )
    engine = limited(150)
    rows = judged(tmp_path, engine, Listwise(annotator, template("relsel"), SELECTION), (long, ITEM))
    assert [row["outcome"] for row in rows] == ["ok", "ok"]
    assert rows[1]["cut_words"] is None
    cut = rows[0]["cut_words"]
    assert words_shown(engine.asked[-1]) == [cut, 30, cut]
    assert 40 <= cut <= 60, "as little is cut as need be, give or take a third"
    widths = [max(words_shown(request)) for request in engine.asked if sum(words_shown(request)) > 0]
    assert all(later < earlier for earlier, later in pairwise(widths))


@pytest.mark.parametrize(
    "text", ["\u4f60\u597d\u4e16\u754c" * 500, "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35" * 300, "x" * 5000]
)
def test_text_without_spaces_is_cut_until_it_fits(
    engine, annotator: Annotator, template, tmp_path: Path, text: str
) -> None:
    shown = replace(ITEM, passages=(Passage("a", text), Passage("b", "short")))
    stage = relevance_stage(annotator.model_copy(update={"sampling": Sampling(max_new_tokens=4)}), template("relsel"))
    (row,) = judged(tmp_path, engine, stage, (shown,))
    assert row["outcome"] in ("unparsable", "truncated")
    assert row["cut_words"] > 1
    assert 700 < row["prompt_tokens"] <= 1020


def test_prompt_that_no_cut_can_fit_is_an_error_of_its_own(annotator: Annotator, template, tmp_path: Path) -> None:
    engine = Scripted(lambda request: TooLong("9 prompt tokens, but the model has room for 8", 0.99))
    (row,) = judged(tmp_path, engine, Listwise(annotator, template("relsel"), SELECTION))
    assert (row["outcome"], row["finish_reason"]) == ("error", "9 prompt tokens, but the model has room for 8")
    assert row["cut_words"] is None, "passages of one word cannot be cut"


def test_prompts_are_cut_for_a_real_engine_until_they_fit(
    engine, annotator: Annotator, template, tmp_path: Path
) -> None:
    """The tiny model reads 1,024 tokens; three passages of 300 words take more."""
    long = replace(ITEM, passages=tuple(Passage(d, "some words " * 200) for d in "abc"))
    sampling = Sampling(max_new_tokens=4)
    stage = relevance_stage(annotator.model_copy(update={"sampling": sampling}), template("relsel"))
    (row,) = judged(tmp_path, engine, stage, (long,))
    assert row["outcome"] in ("unparsable", "truncated")
    assert 200 < row["cut_words"] < 300
    assert 900 < row["prompt_tokens"] <= 1020


def by_docid(selected: set[str], form: str) -> Scripted:
    """Selects or ranks by the passages' words, wherever they stand."""
    names = {"one": "a", "two": "b", "three": "c"}

    def reply(request: ReplyRequest) -> str:
        shown = [turn.content for turn in request.chat if turn.role == "user" and turn.content.startswith("[")]
        docids = [names[text.split()[-1]] for text in shown]
        numbers = [f"[{place}]" for place, docid in enumerate(docids, start=1) if docid in selected]
        return f"My selection:[{','.join(numbers)}]" if form == "selection" else " > ".join(numbers)

    return Scripted(reply)


def test_passes_show_other_orders_and_numbers_are_read_in_each_one_s_own(
    annotator: Annotator, template, tmp_path: Path
) -> None:
    several = annotator.model_copy(update={"permutations": 7})
    engine = by_docid({"a", "c"}, "selection")
    (row,) = judged(tmp_path, engine, Listwise(several, template("relsel"), SELECTION))
    assert (row["outcome"], sorted(row["docids"]), row["attempts"]) == ("ok", ["a", "c"], 7)
    assert len({request.chat for request in engine.asked}) > 1
    assert len(row["replies"]) == 7


def test_passes_that_cannot_be_read_have_no_vote(annotator: Annotator, template, tmp_path: Path) -> None:
    several = annotator.model_copy(update={"permutations": 3})
    texts = iter(["My selection:[[1]]", "Hm.", "Hm."])
    engine = Scripted(lambda request: next(texts))
    (row,) = judged(tmp_path, engine, Listwise(several, template("relsel"), SELECTION))
    assert (row["outcome"], row["docids"]) == ("ok", ["a"])


def test_passes_that_fail_have_no_vote_and_are_not_asked_again(annotator: Annotator, template, tmp_path: Path) -> None:
    several = annotator.model_copy(update={"permutations": 4})
    results = iter(["My selection:[[1]]", Failure("the server answers 500"), "Hm.", "Hm."])
    engine = Scripted(lambda request: next(results, "My selection:[]"))
    stage = Listwise(several, template("relsel"), SELECTION)
    (row,) = judged(tmp_path, engine, stage, retries=Retries(max_retries=1))
    assert (row["outcome"], row["docids"], row["attempts"]) == ("empty", [], 6)
    assert row["replies"] == ["My selection:[[1]]", "", "My selection:[]", "My selection:[]"]


def test_passes_that_all_fail_are_an_error(annotator: Annotator, template, tmp_path: Path) -> None:
    several = annotator.model_copy(update={"permutations": 2})
    engine = Scripted(lambda request: Failure("the server answers 500"))
    (row,) = judged(tmp_path, engine, Listwise(several, template("relsel"), SELECTION))
    assert (row["outcome"], row["docids"], row["finish_reason"]) == ("error", None, "the server answers 500")


def test_passes_of_which_none_can_be_read_are_unparsable(annotator: Annotator, template, tmp_path: Path) -> None:
    several = annotator.model_copy(update={"permutations": 3})
    (row,) = judged(tmp_path, Scripted(lambda r: "Hm."), Listwise(several, template("relsel"), SELECTION))
    assert (row["outcome"], row["docids"]) == ("unparsable", None)


def test_guided_requests_carry_the_form_for_as_many_passages_as_are_shown(annotator: Annotator, template) -> None:
    structured_outputs = annotator.model_copy(update={"engine": "vllm", "structured_outputs": True})
    (request,) = Listwise(structured_outputs, template("utilrank"), RANKING, needs_answer=True).requests(ITEM)
    assert request.guide == RANKING.guide(3)
    (plain,) = Listwise(annotator, template("utilrank"), RANKING, needs_answer=True).requests(ITEM)
    assert plain.guide is None


def test_every_query_has_one_row_in_pool_order_and_failures_are_outcomes(engine, template, tmp_path: Path) -> None:
    answers = ["zero", None, None, "three", None]
    shown = [replace(item, answer=answer) for item, answer in zip(items(5), answers, strict=True)]
    with CompletionStore(tmp_path / "store") as store:
        annotate(shown, ReplugStage(template("replug")), engine, store, NONE, tmp_path / "out")
    rows = ANNOTATION.read(tmp_path / "out").to_pylist()
    assert [row["query_id"] for row in rows] == ["q0", "q1", "q2", "q3", "q4"]
    assert [row["outcome"] for row in rows] == ["ok", "error", "error", "ok", "error"]
    assert rows[1]["finish_reason"] == "there is no ground-truth answer"
    assert [score["docid"] for score in rows[0]["scores"]] == ["d0a", "d0b", "d0c", "d0d"]
    assert rows[0]["prompt_tokens"] > 0


def test_failed_request_fails_its_query_alone_and_is_tried_again(
    engine, annotator: Annotator, template, tmp_path: Path
) -> None:
    long = Item("long", "who? " * 1500, ITEM.passages)
    stage = relevance_stage(annotator.model_copy(update={"sampling": Sampling(max_new_tokens=4)}), template("relsel"))
    with CompletionStore(tmp_path / "store") as store:
        annotate([long, ITEM], stage, engine, store, NONE, tmp_path / "out")
    rows = ANNOTATION.read(tmp_path / "out").to_pylist()
    assert rows[0]["outcome"] == "error"
    assert "prompt tokens" in rows[0]["finish_reason"]
    assert rows[1]["outcome"] in ("unparsable", "truncated")
    (segment,) = (tmp_path / "store").glob("*.jsonl")
    assert len(segment.read_text().splitlines()) == 1


class Refusing:
    """An engine that may not be asked for anything."""

    def __init__(self, engine) -> None:
        self.fingerprint, self.special_tokens = engine.fingerprint, engine.special_tokens

    def generate(self, requests):
        assert not requests
        return iter(())

    def log_likelihood(self, requests):
        assert not requests
        return iter(())


def test_stored_completions_are_never_asked_for_again(engine, template, tmp_path: Path) -> None:
    """Another number of shards, another threshold, utilrank after utilsel: the same requests, so the same records."""
    shown = items(4)
    first = Utility(template("pointwise_answer"), Pointwise(), select=True)
    with CompletionStore(tmp_path / "store") as store:
        annotate(shown, first, engine, store, NONE, tmp_path / "utilsel")
    with CompletionStore(tmp_path / "store") as store:
        ranking = Utility(template("pointwise_answer"), Pointwise(), select=False)
        for part, name in ((shown[:3], "a"), (shown[3:], "b")):
            annotate(part, ranking, Refusing(engine), store, NONE, tmp_path / name)
    rows = ANNOTATION.read(tmp_path / "utilsel").to_pylist()
    again = [row for name in "ab" for row in ANNOTATION.read(tmp_path / name).to_pylist()]
    assert [row["scores"] for row in again] == [row["scores"] for row in rows]


def test_shard_of_which_every_request_fails_ends_the_job(annotator: Annotator, template, tmp_path: Path) -> None:
    """Rather than a file of errors that counts as done; but one query, or what is left of a shard, may be at fault."""
    stage = Listwise(annotator, template("relsel"), SELECTION)
    refusing = Scripted(lambda request: Failure("the server answers 400: Unsupported parameter."))
    with pytest.raises(InputError, match=r"every request of this shard failed.*Unsupported parameter\. Fix: "):
        judged(tmp_path, refusing, stage, items(3))
    assert not (tmp_path / "out").exists()
    (alone,) = judged(tmp_path, refusing, stage, items(1))
    assert alone["outcome"] == "error"
    judged(tmp_path, Scripted(lambda request: "My selection:[[1]]"), stage, items(1))
    rows = judged(tmp_path, refusing, stage, items(3))
    assert [row["outcome"] for row in rows] == ["ok", "error", "error"]


def test_equal_requests_are_made_once(engine, template, tmp_path: Path) -> None:
    twins = [replace(ITEM, query_id=name, answer="me") for name in ("x", "y")]
    with CompletionStore(tmp_path / "store") as store:
        annotate(twins, ReplugStage(template("replug")), engine, store, NONE, tmp_path / "out")
    (segment,) = (tmp_path / "store").glob("*.jsonl")
    assert len(segment.read_text().splitlines()) == 3
    first, second = ANNOTATION.read(tmp_path / "out").to_pylist()
    assert first["scores"] == second["scores"]


@pytest.mark.parametrize(("count", "ends"), [(19, False), (20, True)])
def test_a_shard_of_which_no_reply_can_be_read_ends_the_job_with_one_of_them(
    annotator: Annotator, template, tmp_path: Path, count: int, ends: bool
) -> None:
    stage = Listwise(annotator, template("relsel"), SELECTION)
    talking = Scripted(lambda request: "Sure! Here are my thoughts.")
    with CompletionStore(tmp_path / "store") as store:
        if not ends:
            annotate(items(count), stage, talking, store, NONE, tmp_path / "out")
            assert {row["outcome"] for row in rows_of(tmp_path / "out")} == {"unparsable"}
            return
        with pytest.raises(InputError, match=r"20 questions .* One says: 'Sure! Here are my thoughts\.'\..*store"):
            annotate(items(count), stage, talking, store, NONE, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_one_readable_reply_is_enough_for_a_shard(annotator: Annotator, template, tmp_path: Path) -> None:
    stage = Listwise(annotator, template("relsel"), SELECTION)
    mostly = Scripted(lambda request: "My selection:[[1]]" if "question 7?" in str(request.chat) else "Sure!")
    with CompletionStore(tmp_path / "store") as store:
        annotate(items(30), stage, mostly, store, NONE, tmp_path / "out")
    assert len(rows_of(tmp_path / "out")) == 30
