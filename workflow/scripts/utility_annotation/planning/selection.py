"""Rankings of which a part is kept: who selects, and the labels by which a reranker's scores become probabilities."""

from __future__ import annotations

from collections.abc import Iterator

from ..annotation.names import TRUTH
from ..annotation.stages import STAGES, chain
from ..labels.sources import is_soft
from ..settings import RERANKED, Configuration, Reranked
from . import annotation, pools, reranking, runs
from . import labels as label_sets
from . import training as trainings

STAGE = "selection"
"""The name by which the speed of an LLM that selects is kept in the completion store."""


def selecting_stages() -> list[str]:
    """The annotation stages whose result is a selection, and that need no ground-truth answer."""
    rules = {name: stage.labels for name, stage in STAGES.items() if TRUTH not in stage.reads}
    return [name for name, rule in rules.items() if rule is not None and rule.column == "docids" and not rule.ranked]


def scored_by(configuration: Configuration, selected: str) -> tuple[str, str] | None:
    """(reranker, training) whose scores decide a selected run; None where an LLM selects, or names do not fit."""
    settings = configuration.selected[selected]
    made = runs.made_from(configuration, settings.retriever)
    if settings.labels is None or not isinstance(made, Reranked) or not made.reranker:
        return None
    return reranking.reranker(configuration, settings.retriever.removeprefix(f"{RERANKED}/"))


def training(configuration: Configuration, selected: str) -> str | None:
    """The training of the reranker whose scores decide a selected run, if there is one."""
    scored = scored_by(configuration, selected)
    return scored[1] if scored else None


def calibration(configuration: Configuration, *, selected: str) -> list[str]:
    """The calibration of a selected run; none where an LLM selects."""
    settings, scored = configuration.selected[selected], scored_by(configuration, selected)
    return [pools.calibration("/".join(scored), str(settings.labels))] if scored else []


def run(configuration: Configuration, *, selected: str, testset: str) -> str:
    """The ranking of which a part is kept."""
    return runs.run(configuration, retriever=configuration.selected[selected].retriever, testset=testset)


def model(configuration: Configuration, *, reranker: str, training: str) -> str:
    """Folder of a reranker's model."""
    return trainings.model(configuration, backbone=reranker, training=training)


def scores(configuration: Configuration, *, reranker: str, training: str, labels: str) -> list[str]:
    """The scores of the pool that a label set labels, shard by shard."""
    pool = configuration.labels[labels].pool
    return pools.score_shards(configuration, reranker=f"{reranker}/{training}", pool=pool)


def trained_labels(configuration: Configuration, *, training: str, labels: str) -> list[str]:
    """The label files on which a training and its first stages rest, as far as their questions may be those of
    ``labels``: they are of the same data set.
    """
    dataset = configuration.pools[configuration.labels[labels].pool].dataset
    found: list[str] = []
    stage: str | None = training
    while stage in configuration.trainings:
        found += configuration.trainings[stage].label_sets
        stage = configuration.trainings[stage].init_from
    alike = (name for name in found if configuration.pools[configuration.labels[name].pool].dataset == dataset)
    return list(map(label_sets.file, dict.fromkeys(alike)))


def annotator(configuration: Configuration, selected: str) -> str:
    """The LLM that selects."""
    return str(configuration.selected[selected].annotator)


def llm_stages(configuration: Configuration, *, selected: str) -> list[str]:
    """The annotation stages that the LLM goes through, the one whose selection is kept last."""
    protocol = configuration.annotators[annotator(configuration, selected)].protocol
    return list(chain(configuration.selected[selected].stage, protocol))


def templates(configuration: Configuration, *, selected: str) -> list[str]:
    """The prompt of each of these stages, in their order."""
    name = annotator(configuration, selected)
    stages = llm_stages(configuration, selected=selected)
    return [annotation.template(configuration, stage=stage, annotator=name) for stage in stages]


def problems(configuration: Configuration) -> Iterator[str]:
    """One sentence for each selected run whose settings do not fit each other."""
    for name, settings in configuration.selected.items():
        place = f"selected.{name}"
        if settings.annotator is not None:
            if settings.stage not in selecting_stages():
                known = ", ".join(selecting_stages())
                yield f"{place}.stage names {settings.stage!r}, which is not a stage that selects; known: {known}"
            continue
        made = runs.made_from(configuration, settings.retriever)
        unknown = made is None and settings.retriever.startswith(f"{RERANKED}/")  # another message says so
        if not unknown and not (isinstance(made, Reranked) and made.reranker):
            yield (
                f"{place}.retriever is {settings.retriever}, but `labels` calibrate the scores of a reranker: name a "
                "`reranked/NAME` with a `reranker`, or give an `annotator`"
            )
        elif isinstance(made, Reranked) and made.depth < settings.depth:
            yield (
                f"{place}.depth is {settings.depth}, but {settings.retriever} scores {made.depth} passages: lower "
                f"it to that, or raise reranked.{settings.retriever.partition('/')[2]}.depth"
            )
        yield from _held_out(configuration, f"{place}.labels", str(settings.labels), training(configuration, name))
    for name, labels in configuration.labels.items():
        if labels.source == "selector":
            _, _, trained = labels.reranker.partition("/")
            yield from _held_out(configuration, f"labels.{name}.calibration", str(labels.calibration), trained)


def _held_out(configuration: Configuration, place: str, held_out: str, stage: str | None) -> Iterator[str]:
    if held_out not in configuration.labels:
        return
    source = configuration.labels[held_out].source
    if is_soft(source):
        yield f"{place}: labels of source {source} have no positives"
    seen: set[str | None] = set()  # a circle has a message of its own
    while stage in configuration.trainings and stage not in seen:
        seen.add(stage)
        if held_out in configuration.trainings[stage].label_sets:
            yield f"{place}: {held_out!r} is not held out, as trainings.{stage} is trained on it"
        stage = configuration.trainings[stage].init_from
