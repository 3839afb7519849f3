"""Cross-encoders, and the rankings that are ordered again or of which a part is kept."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, model_validator

from .base import BM25, EXTERNAL, RERANKED, SELECTED, Name, Settings, TwoNames
from .training import Training

_WHOSE = "BACKBONE/TRAINING, BACKBONE/untrained, bm25/bm25, bm25/VARIANT, external/RUN, reranked/NAME or selected/NAME."


class Reranker(Settings):
    """A reranker before fine-tuning: it reads a query and a passage together and gives the pair a score."""

    model: Name = Field(
        description="A name from `models`: an encoder or a decoder. A layer that its folder lacks, such as the one "
        "that gives the score, is new, and a training makes it."
    )
    score: str = Field("layer", description="How the model gives a score.")
    query_prefix: str = Field(
        "", description="Text before every query, such as an instruction; line breaks and spaces count."
    )
    passage_prefix: str = Field("", description="Text before every passage; line breaks and spaces count.")
    passage_suffix: str = Field(
        "", description="score: yes-no: Text after every passage, which no length cuts off, such as the end of a turn."
    )
    yes_token: str = Field("yes", description="score: yes-no: The word for a relevant passage, one token of the model.")
    no_token: str = Field("no", description="score: yes-no: The word for another one.")
    length: int = Field(
        256,
        ge=8,
        description="Maximum number of tokens of a pair, special tokens included. The longer of the two texts is cut "
        "first.",
    )


class Reranked(Settings):
    """A ranking whose first passages a reranker or an LLM orders again."""

    retriever: TwoNames = Field(description=f"Whose ranking: {_WHOSE}")
    reranker: TwoNames = Field(
        "",
        description="Who orders it: RERANKER/TRAINING, or RERANKER/untrained for a model that is a cross-encoder "
        "already. A retriever, BACKBONE/TRAINING or BACKBONE/untrained, orders by the product of its vectors.",
    )
    annotator: Name | None = Field(
        None,
        description="Or an LLM, a name from `annotators`, in place of a reranker. listwise: it ranks windows of "
        "passages, from the bottom to the top; pointwise: passages are ordered by the likelihood of the question.",
    )
    depth: int = Field(
        100,
        ge=1,
        description="Passages per query that get a new score. Those behind them keep their order, below.",
    )
    window: int = Field(20, ge=2, description="annotator, listwise: passages that the LLM ranks at a time.")
    step: int = Field(
        10,
        ge=1,
        description="annotator, listwise: how many passages the next window lies further up, at most `window`.",
    )

    @model_validator(mode="after")
    def _one_orders_it(self) -> Reranked:
        if bool(self.reranker) == (self.annotator is not None):
            raise ValueError("give one of `reranker` and `annotator`")
        if self.step > self.window:
            raise ValueError(f"a `step` of {self.step} leaves out passages between windows of {self.window}")
        return self


class Selected(Settings):
    """A ranking of which only the useful passages are kept; their number differs from query to query."""

    retriever: TwoNames = Field(
        description=f"Whose ranking: {_WHOSE} With `labels` it is a `reranked/NAME` with a reranker, whose "
        "scores decide."
    )
    labels: Name | None = Field(
        None,
        description="A name from `labels`: of questions on which the reranker is not trained. By them its scores "
        "become probabilities that a passage is positive.",
    )
    method: str = Field("isotonic", description="labels: How scores become probabilities.")
    threshold: float = Field(0.5, gt=0, lt=1, description="labels: The lowest probability of a passage that is kept.")
    annotator: Name | None = Field(
        None,
        description="Or an LLM, a name from `annotators`, in place of `labels`. It selects as in the annotation: it "
        "goes through the stages up to `stage`.",
    )
    stage: Name = Field(
        "utilsel", description="annotator: The annotation stage whose selection is kept, such as utilsel or relsel."
    )
    depth: int = Field(20, ge=1, description="Passages per query that are looked at. Those behind them are not kept.")

    @model_validator(mode="after")
    def _one_selects(self) -> Selected:
        if (self.labels is None) == (self.annotator is None):
            raise ValueError("give one of `labels`, by which a reranker's scores are calibrated, and `annotator`")
        return self


Again = Reranked | Selected
"""A ranking that is made from another one."""


def again_by_name(reranked: Mapping[str, Reranked], selected: Mapping[str, Selected]) -> dict[str, Again]:
    """The rankings of both sections by ``reranked/NAME`` or ``selected/NAME``."""
    return {f"{RERANKED}/{name}": each for name, each in reranked.items()} | {
        f"{SELECTED}/{name}": each for name, each in selected.items()
    }


def of_each_seed(
    reranked: Mapping[str, Reranked], selected: Mapping[str, Selected], trainings: Mapping[str, Training]
) -> tuple[dict[str, Reranked], dict[str, Selected], dict[str, dict[int, str]]]:
    """These rankings with one of its own for each further seed of what makes them; by name, those of each seed.

    The seeds are those of the reranker's training, or of the retriever's if the reranker's has one alone. A ranking of
    another seed N is named NAME-seedN. What is there already is not made twice.

    Raises:
        ValueError: the first stage lacks a seed or begins with another one, a ranking comes after itself, or a name
            belongs to another one's seed.
    """
    given = again_by_name(reranked, selected)
    found, seeds = dict(given), dict[str, dict[int, str]]()

    def of_training(place: str, name: str) -> dict[int, str]:
        """The retrievers or rerankers of each seed, where there are several; that of the first seed comes first."""
        if place in (BM25, EXTERNAL) or name not in trainings:
            return {}
        names = sorted(trainings[name].names(name).items(), key=lambda item: item[1] != name)
        return {seed: f"{place}/{each}" for seed, each in names} if len(names) > 1 else {}

    def of_ranking(ranking: str, after: tuple[str, ...]) -> dict[int, str]:
        place, name = ranking.split("/")
        whose = f"{place}.{name}"
        if ranking in after:
            raise ValueError(f"{whose}: it comes after itself")
        if ranking not in seeds:
            settings = given[ranking]
            first = settings.retriever
            stages = of_ranking(first, (*after, ranking)) if first in given else of_training(*first.split("/"))
            reranker = settings.reranker if isinstance(settings, Reranked) else ""
            rerankers = of_training(*reranker.split("/")) if reranker else {}
            begin = [*list(stages)[:1], *list(rerankers)[:1]]
            if len(set(begin)) > 1:
                raise ValueError(
                    f"{whose}: {first} begins with seed {begin[0]} and {reranker} with seed {begin[1]}; give both "
                    "trainings the same `seed`"
                )
            seeds[ranking] = {}
            for seed in rerankers or stages:
                if stages and seed not in stages:
                    raise ValueError(f"{whose}: its retriever {first} has no seed {seed}")
                own_name = ranking if not seeds[ranking] else f"{ranking}-seed{seed}"
                change = {"retriever": stages.get(seed, first)}
                change |= {"reranker": rerankers.get(seed, reranker)} if reranker else {}
                own = settings.model_copy(update=change)
                if own_name != ranking and found.setdefault(own_name, own) != own:
                    raise ValueError(f"{own_name.replace('/', '.')}: this name belongs to seed {seed} of {whose}")
                seeds[ranking][seed] = own_name
                found[own_name] = own
        return seeds[ranking]

    for ranking in given:
        of_ranking(ranking, ())
    return (
        {_name(ranking): each for ranking, each in found.items() if isinstance(each, Reranked)},
        {_name(ranking): each for ranking, each in found.items() if isinstance(each, Selected)},
        {
            _name(ranking): {seed: _name(each) for seed, each in names.items()}
            for ranking, names in seeds.items()
            if names
        },
    )


def _name(ranking: str) -> str:
    return ranking.partition("/")[2]
