"""Functions only: what the rules of annotation and labels ask of the configuration."""

from utility_annotation.annotation.templates import template_name


def annotator_of(wildcards) -> configuration.Annotator:
    """The LLM of a job: an annotator, or the generator of answers."""
    return CONFIG.annotators[wildcards.get("annotator") or wildcards.generator]


def annotator_model(wildcards) -> list[str]:
    """Folder of an LLM; none where a server has it."""
    model = annotator_of(wildcards).model
    return [f"data/models/{model}"] if model else []


def annotation_settings(stage: str):
    """Function of the wildcards: an annotator's settings as far as a stage's result depends on them."""
    return lambda wildcards: canonical(
        configuration.stage_settings(annotator_of(wildcards), stage)
    )


def annotation_environment(wildcards) -> str:
    """The conda environment of an annotation job: vLLM has one of its own."""
    vllm = annotator_of(wildcards).engine == "vllm"
    return "../envs/vllm.yaml" if vllm else "../envs/core.yaml"


def annotation_python(wildcards, input) -> str:
    """The interpreter of an annotation job: for vLLM the one that the user names. Takes `input` as `performance` does."""
    vllm = annotator_of(wildcards).engine == "vllm"
    return CONFIG.performance.annotate.python if vllm else "python"


def prompt_template(stage: str):
    """Function of the wildcards: the template that a stage reads under the annotator's protocol."""

    def template(wildcards) -> str:
        return f"resources/prompts/{template_name(stage, CONFIG.annotators[wildcards.annotator].protocol)}"

    return template


def same_likelihoods(wildcards) -> list[str]:
    """The shard whose stage leaves in the completion store what utility ranking needs; none for listwise prompts."""
    if CONFIG.annotators[wildcards.annotator].protocol == "listwise":
        return []
    return [
        ancient(
            f"results/annotation/{wildcards.pool}/{wildcards.annotator}/utilsel/{wildcards.shard}.parquet"
        )
    ]


def annotation_shards(labels: configuration.Labels, stage: str) -> list[str]:
    """The shards of a stage of the annotation on which a label set rests."""
    return expand(
        "results/annotation/{pool}/{annotator}/{stage}/{shard}.parquet",
        pool=labels.pool,
        annotator=labels.annotator,
        stage=stage,
        shard=shard_names(CONFIG.pools[labels.pool].shards),
    )


def label_annotation_shards(wildcards) -> list[str]:
    """The annotation shards from which a label set is merged; none where no LLM of ours makes it."""
    labels = CONFIG.labels[wildcards.labels]
    return annotation_shards(labels, labels.source) if labels.annotated else []


def label_members(wildcards) -> list[str]:
    """The label files of which a label set is the union."""
    return expand(
        "results/labels/{labels}.parquet", labels=CONFIG.labels[wildcards.labels].of
    )


def label_file(wildcards) -> list[str]:
    """The file of the outside world from which a label set is read, if it is."""
    file = CONFIG.labels[wildcards.labels].file
    return [outside_file(file.path)] if file else []


def label_relevance_shards(wildcards) -> list[str]:
    """The relevance selection that decided which candidates the last stage of a label set was shown, if one did."""
    labels = CONFIG.labels[wildcards.labels]
    narrowed = labels.source in ("utilsel", "utilrank")
    return annotation_shards(labels, "relsel") if narrowed else []


def label_pool_shards(wildcards) -> list[str]:
    """The shards of the pool that a label set labels."""
    return pool_shards(CONFIG.labels[wildcards.labels].pool)
