"""Functions only: what the rules ask of the configuration. Each is named by what it returns.

Those of downloads and datasets stand in common_data.smk, those of annotation and labels in common_labels.smk, those of
answers in common_rag.smk, those of tables and figures in common_tables.smk and common_results.smk, those of the report's
annotations in common_report.smk; what is checked before the first job starts, in common_start.smk.
"""

import re

from snakemake.exceptions import WorkflowError

from utility_annotation import settings as configuration
from utility_annotation.settings import BM25, UNTRAINED, canonical
from utility_annotation.common.errors import InputError
from utility_annotation.exports.forms import FORMS
from utility_annotation.pools.shards import shard_names
from utility_annotation.common.code_digest import code_digest

SCRIPTS = Path(workflow.basedir) / "workflow" / "scripts"

try:
    CONFIG = configuration.load(
        config, path=", ".join(map(str, workflow.configfiles)) or "the configuration"
    )
except InputError as error:
    raise WorkflowError(str(error)) from None


def performance(wildcards, input) -> str:
    """The section that changes no result. Snakemake takes parameters that depend on `input` as derived from it, and
    leaves them out when it looks for changes; so this one takes `input`, and makes nothing stale.
    """
    return canonical(CONFIG.performance)


def growing(amount: int):
    """Function of the attempt: an amount of memory or time that grows by itself with every retry."""
    return lambda wildcards, attempt: amount * attempt


def train_launcher(wildcards, input, resources) -> str:
    """What starts a training: Python, or torchrun where the job has several GPUs. Takes `input` as `performance` does."""
    gpus = resources.get("gpu", 0)
    return (
        f"python -m torch.distributed.run --standalone --nproc-per-node {gpus}"
        if gpus > 1
        else "python"
    )


def wildcard_patterns() -> dict[str, str]:
    """Every wildcard as the alternatives that the configuration allows."""

    def one_of(*names) -> str:
        return "|".join(map(re.escape, names)) or "none"

    return {
        "average": one_of(*CONFIG.averages),
        "annotator": one_of(*CONFIG.annotators),
        "backbone": one_of(*CONFIG.backbones),
        "cost_table": one_of(*CONFIG.cost_tables),
        "dataset": one_of(*CONFIG.datasets),
        "export_format": one_of(*FORMS),
        "label_chart": one_of(*CONFIG.label_charts),
        "label_table": one_of(*CONFIG.label_tables),
        "generator": one_of(*CONFIG.annotators),
        "labels": one_of(*CONFIG.labels),
        "line_chart": one_of(*CONFIG.line_charts),
        "model": one_of(*CONFIG.models),
        "pool": one_of(*CONFIG.pools),
        "qa": one_of(*CONFIG.qa),
        "training": one_of(UNTRAINED, *CONFIG.trainings),
        "shard": r"\d{4}-of-\d{4}",
        "split": one_of(
            *{split for dataset in CONFIG.datasets.values() for split in dataset.splits}
        ),
        "table": one_of(*CONFIG.tables),
        "testset": one_of(*CONFIG.testsets),
    }


def code(script: str):
    """Function of the wildcards: digest of the code that a script reaches; as a parameter it makes exactly the results of
    that code stale. A function, so that a job on a cluster looks through the code of its own rule only.
    """
    return lambda wildcards: code_digest(SCRIPTS / f"{script}.py")


def pool_shards(pool: str) -> list[str]:
    """A pool's shard files."""
    return expand(
        "results/pools/{pool}/{shard}.parquet",
        pool=pool,
        shard=shard_names(CONFIG.pools[pool].shards),
    )


def pool_source(pool: str) -> str:
    """The training rows from which a pool is built: published ones, or those mined by this workflow."""
    return CONFIG.pools[pool].source.path or f"results/mined/{pool}.jsonl"


def pool_settings(pool: str) -> str:
    """A pool's settings, its source as the kind of rows that `build_pool` reads."""
    settings = CONFIG.pools[pool].model_dump(mode="json")
    source = CONFIG.pools[pool].source
    rows = "tevatron-ids" if source.searched else source.format
    return canonical(settings | {"source": {"format": rows, "path": pool_source(pool)}})


def mining_settings(wildcards) -> str:
    """A pool's settings as far as the rows that are mined for it depend on them."""
    pool = CONFIG.pools[wildcards.pool]
    source = pool.source.model_dump(mode="json", include={"format", "depth"})
    return canonical(source | {"size": pool.size})


def mined_qrels(wildcards) -> list[str]:
    """The judgements of the split of a pool, if there are any; only a merged pool does without."""
    pool = CONFIG.pools[wildcards.pool]
    judged = CONFIG.datasets[pool.dataset].splits[pool.split].qrels is not None
    return [split_data("qrels", wildcards.pool, "pools")] if judged else []


def pool_duplicates(pool: str) -> list[str]:
    """The duplicates of which a pool holds one each; none where it keeps them all."""
    dropped = CONFIG.pools[pool].source.duplicates == "drop"
    return [f"results/mined/{pool}.duplicates.parquet"] if dropped else []


def mined_runs(wildcards) -> list[str]:
    """The runs whose passages a pool is made of, or takes as negatives."""
    source = CONFIG.pools[wildcards.pool].source
    return [
        f"results/runs/{retriever}/{source.testset}.parquet"
        for retriever in source.retrievers
    ]


def model_folder(backbone: str, run: str) -> str:
    """Folder of a trained run, or of the backbone itself for the untrained one."""
    if run == UNTRAINED:
        return f"data/models/{CONFIG.backbones[backbone].model}"
    return f"results/models/{backbone}/{training}"


def encoder_model(wildcards) -> str:
    """Folder of the model with which a rule encodes."""
    return model_folder(wildcards.backbone, wildcards.training)


def starting_model(wildcards) -> str:
    """Folder of the model from which a run starts: its first stage's, or the backbone's."""
    return model_folder(
        wildcards.backbone, CONFIG.trainings[wildcards.training].init_from or UNTRAINED
    )


def run_pool_shards(wildcards) -> list[str]:
    """The pool on which a run is trained."""
    return pool_shards(CONFIG.labels[CONFIG.trainings[wildcards.training].labels].pool)


def embedding_shards(suffix: str):
    """Function of the wildcards: the embedding files of a test set's corpus."""
    return lambda wildcards: expand(
        "results/embeddings/{backbone}/{training}/{dataset}/{shard}{suffix}",
        backbone=wildcards.backbone,
        run=wildcards.training,
        dataset=CONFIG.testsets[wildcards.testset].dataset,
        shard=shard_names(
            CONFIG.datasets[CONFIG.testsets[wildcards.testset].dataset].shards
        ),
        suffix=suffix,
    )


def backbone_settings(backbone: str, side: str) -> dict:
    """A backbone's settings as far as they concern one side (query or passage)."""
    other = {"query": "passage", "passage": "query"}[side]
    return CONFIG.backbones[backbone].model_dump(
        mode="json", exclude={f"{other}_prefix", f"{other}_length"}
    )


def search_settings(testset: str) -> dict:
    """What retrieval for a test set depends on, whatever retrieves."""
    return CONFIG.testsets[testset].model_dump(
        mode="json", include={"depth", "drop_query_document"}
    )


def testset_corpus(wildcards) -> str:
    """The corpus that is searched for a test set."""
    return f"data/{CONFIG.testsets[wildcards.testset].dataset}/corpus.parquet"


def testset_labels(wildcards) -> str:
    """The label set whose positives are relevant in a test set beside what its qrels say."""
    labels = CONFIG.testsets[wildcards.testset].labels
    if labels is None:
        raise WorkflowError(f"test set {wildcards.testset} has no `labels`.")
    return f"results/labels/{labels}.parquet"


def testset_human_qrels(wildcards) -> list[str]:
    """The human judgements that count beside the labels of a test set; none where the labels alone judge."""
    alone = CONFIG.testsets[wildcards.testset].relevant == "labels"
    return [] if alone else [split_data("qrels", wildcards.testset, "testsets")]


def testset_qrels(wildcards) -> str:
    """The judgements by which a run is evaluated: by its passages that hold an answer, those of a label set, with humans'
    or alone, or humans' alone.
    """
    testset = CONFIG.testsets[wildcards.testset]
    if testset.relevant == "answers":
        return f"results/qrels/{wildcards.backbone}/{wildcards.training}/{wildcards.testset}.parquet"
    if testset.labels is not None:
        return f"results/qrels/{wildcards.testset}.parquet"
    return split_data("qrels", wildcards.testset, "testsets")
