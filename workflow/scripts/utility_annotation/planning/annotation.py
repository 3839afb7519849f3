"""Annotation: the model, the prompt and the files that a stage of a shard reads and writes."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from ..annotation.names import TRUTH
from ..annotation.stages import RERANKING, STAGES
from ..common.errors import InputError
from ..pools.shards import shard_names
from ..settings import Configuration, Labels, QuestionAnswering
from ..settings.base import nearest
from . import data

QUESTION_TEMPLATE = "qa_{style}.j2"
"""Template of an answer from retrieved passages, by its style."""

STYLES = get_args(QuestionAnswering.model_fields["style"].annotation)


def rule(stage: str) -> str:
    """The rule that runs a stage."""
    return f"annotate_{stage.replace('-', '_')}"


def model(configuration: Configuration, *, annotator: str) -> list[str]:
    """Folder of an LLM; none where a server has it."""
    name = configuration.annotators[annotator].model
    return [f"data/models/{name}"] if name else []


def gpus(configuration: Configuration, *, annotator: str) -> int:
    """GPUs of a job that asks an LLM; none where a server has it."""
    served = configuration.annotators[annotator].engine == "openai"
    return 0 if served else configuration.performance.annotate.of(annotator).gpus


def template(configuration: Configuration, *, stage: str, annotator: str) -> str:
    """The prompt of a stage under the annotator's protocol, see :func:`prompt`."""
    return prompt(configuration, annotator, STAGES[stage].way(configuration.annotators[annotator].protocol).template)


def prompt(configuration: Configuration, annotator: str, name: str) -> str:
    """A template by its name: below resources/, or the annotator's own, which begins with ``./`` or ``/``.

    Raises:
        InputError: the annotator's folder is not there, or has a template that no stage uses.
    """
    folder = configuration.annotators[annotator].prompts
    if folder is None:
        return f"prompts/{name}"
    if not Path(folder).is_dir():
        raise InputError("this folder is not there.", hint=f"correct `annotators.{annotator}.prompts`.", path=folder)
    own = {path.name: path for path in Path(folder).glob("*.j2")}
    known = {way.template for entry in STAGES.values() for way in (entry.listwise, entry.pointwise)}
    known |= {way.template for way in RERANKING.values()}
    known |= {QUESTION_TEMPLATE.format(style=style) for style in STYLES}
    if strange := sorted(own.keys() - known):
        raise InputError(
            f"no stage uses a prompt of the name {strange[0]}{nearest(strange[0], sorted(known))}.",
            hint=f"rename it, or move it out of the folder (`annotators.{annotator}.prompts`).",
            path=own[strange[0]],
        )
    if name not in own:
        return f"prompts/{name}"
    return str(own[name]) if own[name].is_absolute() else f"./{own[name]}"


def shard_file(pool: str, annotator: str, stage: str, name: str) -> str:
    """The file of one shard of a stage."""
    return f"results/annotation/{pool}/{annotator}/{stage}/{name}.parquet"


def earlier(configuration: Configuration, *, stage: str, pool: str, annotator: str, shard: str) -> list[str]:
    """The shards of the earlier stages that a stage reads."""
    return [shard_file(pool, annotator, reads, shard) for reads in STAGES[stage].reads if reads != TRUTH]


def truth(configuration: Configuration, *, stage: str, pool: str) -> list[str]:
    """The ground-truth answers, for a stage that is given them."""
    settings = configuration.pools[pool]
    needed = TRUTH in STAGES[stage].reads
    return [data.split_file("answers", settings.dataset, settings.split)] if needed else []


def shared(configuration: Configuration, *, stage: str, pool: str, annotator: str, shard: str) -> list[str]:
    """The shard of the stage whose likelihoods a stage finds in the completion store, if there is one."""
    source = STAGES[stage].way(configuration.annotators[annotator].protocol).shares
    return [shard_file(pool, annotator, source, shard)] if source else []


def shards(configuration: Configuration, labels: Labels, stage: str) -> list[str]:
    """The shards of a stage on which a label set rests."""
    assert labels.annotator is not None, "only annotated labels rest on stages"
    names = shard_names(configuration.pools[labels.pool].shards)
    return [shard_file(labels.pool, labels.annotator, stage, name) for name in names]


def store(configuration: Configuration, *, annotator: str) -> str:
    """Folder of an annotator's completion store, which is no output: it survives a killed job."""
    return f"results/completions/{annotator}"


def in_environment_of_vllm(configuration: Configuration, *, annotator: str) -> bool:
    """Whether an annotator's jobs need the environment of vLLM."""
    return configuration.annotators[annotator].engine == "vllm"


def python(configuration: Configuration, *, annotator: str) -> str:
    """The interpreter of an annotator's jobs: for vLLM the one that the user names."""
    vllm = in_environment_of_vllm(configuration, annotator=annotator)
    return configuration.performance.annotate.python if vllm else "python"
