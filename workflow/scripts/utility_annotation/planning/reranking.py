"""Rankings that a reranker or an LLM orders again: the model, the first stage and the passages that it reads."""

from __future__ import annotations

from collections.abc import Iterator

from ..annotation.stages import RERANKING
from ..settings import RERANKED, UNTRAINED, Configuration
from . import annotation, runs, training

STAGE = "reranking"
"""The name by which the speed of an LLM that reranks is kept in the completion store."""


def name_of(retriever: str) -> str | None:
    """The name in ``reranked`` of a retriever; None for one that is there without a reranker."""
    place, _, name = retriever.partition("/")
    return name if place == RERANKED else None


def stages(configuration: Configuration, retriever: str) -> Iterator[str]:
    """A retriever, and those whose rankings it orders again, the first stage last."""
    while True:
        yield retriever
        settings = configuration.reranked.get(name_of(retriever) or "")
        if settings is None:
            return
        retriever = settings.retriever


def trainings(configuration: Configuration, retriever: str) -> list[str]:
    """The trainings on whose models a retriever rests, through every stage."""
    names = []
    for stage in stages(configuration, retriever):
        settings = configuration.reranked.get(name_of(stage) or "")
        place, _, name = (settings.reranker if settings else stage).partition("/")
        if place in configuration.backbones or place in configuration.rerankers:
            names.append(name)
    return [name for name in names if name in configuration.trainings and name != UNTRAINED]


def run(configuration: Configuration, *, reranked: str, testset: str) -> str:
    """The ranking that is ordered again."""
    return runs.run(configuration, retriever=configuration.reranked[reranked].retriever, testset=testset)


def model(configuration: Configuration, *, reranked: str) -> str:
    """Folder of the reranker's model."""
    backbone, _, name = configuration.reranked[reranked].reranker.partition("/")
    return training.model(configuration, backbone=backbone, training=name)


def annotator(configuration: Configuration, reranked: str) -> str:
    """The LLM that orders a ranking again."""
    return str(configuration.reranked[reranked].annotator)


def llm_model(configuration: Configuration, *, reranked: str) -> list[str]:
    """Folder of the LLM; none where a server has it."""
    return annotation.model(configuration, annotator=annotator(configuration, reranked))


def llm_gpus(configuration: Configuration, *, reranked: str) -> int:
    """GPUs of a job of the LLM; none where a server has it."""
    return annotation.gpus(configuration, annotator=annotator(configuration, reranked))


def llm_python(configuration: Configuration, *, reranked: str) -> str:
    """The interpreter of a job of the LLM."""
    return annotation.python(configuration, annotator=annotator(configuration, reranked))


def with_vllm(configuration: Configuration, *, reranked: str) -> bool:
    """Whether a job of the LLM needs the environment of vLLM."""
    return annotation.in_environment_of_vllm(configuration, annotator=annotator(configuration, reranked))


def llm_store(configuration: Configuration, *, reranked: str) -> str:
    """Folder of the LLM's completion store."""
    return annotation.store(annotator(configuration, reranked))


def template(configuration: Configuration, *, reranked: str) -> str:
    """The prompt under the LLM's protocol, see :func:`.annotation.prompt`."""
    name = annotator(configuration, reranked)
    return annotation.prompt(configuration, name, RERANKING[configuration.annotators[name].protocol].template)
