"""Cross-encoders, and the rankings that they order again."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import Field, field_validator, model_validator

from .base import BM25, EXTERNAL, RERANKED, Name, Settings
from .training import Training


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

    retriever: str = Field(
        description="Whose ranking: BACKBONE/TRAINING, BACKBONE/untrained, bm25/bm25, bm25/VARIANT, external/RUN or "
        "reranked/NAME."
    )
    reranker: str = Field(
        "",
        description="Who orders it: RERANKER/TRAINING, or RERANKER/untrained for a model that is a cross-encoder "
        "already.",
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

    @field_validator("retriever", "reranker")
    @classmethod
    def _two_parts(cls, given: str) -> str:
        if given and len(given.split("/")) != 2:
            raise ValueError(f"give two names with a slash between them, not {given!r}")
        return given

    @model_validator(mode="after")
    def _one_orders_it(self) -> Reranked:
        if bool(self.reranker) == (self.annotator is not None):
            raise ValueError("give one of `reranker` and `annotator`")
        if self.step > self.window:
            raise ValueError(f"a `step` of {self.step} leaves out passages between windows of {self.window}")
        return self


def of_each_seed(
    reranked: Mapping[str, Reranked], trainings: Mapping[str, Training]
) -> tuple[dict[str, Reranked], dict[str, dict[int, str]]]:
    """These rankings with one of its own for each further seed of what makes them; by name, those of each seed.

    The seeds are those of the reranker's training, or of the retriever's if the reranker's has one alone. A ranking of
    another seed N is named NAME-seedN. What is there already is not made twice.

    Raises:
        ValueError: the first stage lacks a seed or begins with another one, a ranking comes after itself, or a name
            belongs to another one's seed.
    """
    found, seeds = dict(reranked), dict[str, dict[int, str]]()

    def of_training(place: str, name: str) -> dict[int, str]:
        """The retrievers or rerankers of each seed, where there are several; that of the first seed comes first."""
        if place in (BM25, EXTERNAL) or name not in trainings:
            return {}
        names = sorted(trainings[name].names(name).items(), key=lambda item: item[1] != name)
        return {seed: f"{place}/{each}" for seed, each in names} if len(names) > 1 else {}

    def of_ranking(name: str, after: tuple[str, ...]) -> dict[int, str]:
        if name in after:
            raise ValueError(f"reranked.{name}: it comes after itself")
        if name not in seeds:
            settings = reranked[name]
            place, _, first = settings.retriever.partition("/")
            ranked = place == RERANKED and first in reranked
            stages = (
                {seed: f"{RERANKED}/{each}" for seed, each in of_ranking(first, (*after, name)).items()}
                if ranked
                else of_training(place, first)
            )
            rerankers = of_training(*settings.reranker.split("/")) if settings.reranker else {}
            begin = [*list(stages)[:1], *list(rerankers)[:1]]
            if len(set(begin)) > 1:
                raise ValueError(
                    f"reranked.{name}: {settings.retriever} begins with seed {begin[0]} and {settings.reranker} with "
                    f"seed {begin[1]}; give both trainings the same `seed`"
                )
            seeds[name] = {}
            for seed in rerankers or stages:
                if stages and seed not in stages:
                    raise ValueError(f"reranked.{name}: its retriever {settings.retriever} has no seed {seed}")
                own_name = name if not seeds[name] else f"{name}-seed{seed}"
                change = {
                    "retriever": stages.get(seed, settings.retriever),
                    "reranker": rerankers.get(seed, settings.reranker),
                }
                own = settings.model_copy(update=change)
                if own_name != name and found.setdefault(own_name, own) != own:
                    raise ValueError(f"reranked.{own_name}: this name belongs to seed {seed} of reranked.{name}")
                seeds[name][seed] = own_name
                found[own_name] = own
        return seeds[name]

    for name in reranked:
        of_ranking(name, ())
    return found, {name: names for name, names in seeds.items() if names}
