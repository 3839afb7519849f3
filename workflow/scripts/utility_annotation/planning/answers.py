"""Question answering: which passages, questions and templates an answer is made from."""

from __future__ import annotations

from ..settings import Configuration
from . import annotation, retrieval, runs
from .annotation import QUESTION_TEMPLATE

STAGE = "retrieved-answer"
"""The name by which the speed of answering is kept in the completion store."""


def generator(configuration: Configuration, *, generator: str) -> str:
    """The LLM that answers, one of the annotators."""
    return generator


def queries(configuration: Configuration, *, qa: str) -> str:
    """The questions."""
    return retrieval.queries(configuration, testset=configuration.qa[qa].testset)


def truth(configuration: Configuration, *, qa: str) -> str:
    """Their ground-truth answers."""
    return retrieval.answers(configuration, testset=configuration.qa[qa].testset)


def dropped_copies(configuration: Configuration, *, qa: str) -> list[str]:
    """The questions that are training questions too, where the figures of the test set leave them out."""
    return retrieval.dropped_copies(configuration, testset=configuration.qa[qa].testset)


def corpus(configuration: Configuration, *, qa: str) -> str:
    """The corpus from which the passages come."""
    return retrieval.corpus(configuration, testset=configuration.qa[qa].testset)


def run(configuration: Configuration, *, retriever: str, qa: str) -> str:
    """The run that ranks the passages."""
    return runs.run(configuration, retriever=retriever, testset=configuration.qa[qa].testset)


def work(configuration: Configuration, *, retriever: str, qa: str, generator: str) -> list[str]:
    """The summaries of the jobs behind answers: the generator's, then those that chose the passages."""
    testset = configuration.qa[qa].testset
    chosen = [each for each in runs.stages(configuration, retriever) if runs.made_from(configuration, each)]
    files = (runs.run(configuration, retriever=each, testset=testset) for each in chosen)
    summaries = [file.removesuffix(".parquet") + ".json" for file in files]
    return [f"results/rag/{retriever}/{qa}/{generator}/summary.json", *summaries]


def template(configuration: Configuration, *, qa: str, generator: str) -> str:
    """The prompt of the style in which the questions are answered, see :func:`.annotation.prompt`."""
    return annotation.prompt(configuration, generator, QUESTION_TEMPLATE.format(style=configuration.qa[qa].style))


def bert_score_model(configuration: Configuration, *, qa: str) -> list[str]:
    """Folder of the encoder of BERTScore; none where that is not asked for."""
    bert_score = configuration.qa[qa].bert_score
    return [f"data/models/{bert_score.model}"] if bert_score else []


def bert_score_gpus(configuration: Configuration, *, qa: str) -> int:
    """GPUs of an evaluation of answers: those of an encoding job, where BERTScore is asked for."""
    return configuration.performance.encode.gpus if configuration.qa[qa].bert_score else 0
