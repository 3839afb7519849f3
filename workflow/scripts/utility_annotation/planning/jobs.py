"""The settings of each job: what a rule is stale by, and what its script reads, are the return value of one function.

Each function is named as its rule and takes, beside the configuration, the rule's wildcards on which its settings
depend. A rule calls it with its wildcards and a script with the names on its command line. What a result does not
depend on is left out (:meth:`utility_annotation.settings.Settings.only`).

Every script imports this module. So it imports the modules of the report and of exports where it needs them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..annotation.stages import ANSWER_REPLY, EVERY_STAGE, RERANKING, STAGES
from ..common.errors import InputError
from ..evaluation.settings import EvaluateAnswersSettings, EvaluateSettings, MatchSettings, MergeQrelsSettings
from ..labels.annotators import judges_of_testset, shared_judges
from ..labels.settings import AgreementSettings, QualitySettings
from ..labels.sources import is_soft, members_of
from ..labels.work import work_of_labels
from ..pools.settings import DivideSettings, DuplicateSettings, MiningSettings
from ..reporting.settings import (
    CardSettings,
    ComparisonSettings,
    CostTableSettings,
    LabelTableSettings,
    LineChartSettings,
    ResultsTableSettings,
    VerdictSettings,
    WorkSettings,
)
from ..retrieval.settings import (
    Bm25SearchSettings,
    ExternalRunSettings,
    GenerateSettings,
    LlmRerankSettings,
    RerankSettings,
    SearchSettings,
)
from ..selection.settings import LlmSelectSettings, ScoreSettings, SelectSettings
from ..settings import (
    BM25,
    Annotator,
    Backbone,
    Configuration,
    Dataset,
    Download,
    JobSettings,
    LabelChart,
    Labels,
    Model,
    Pool,
    PoolSource,
    Reranker,
    Split,
    Training,
)
from . import exports, pools, report, reranking, results, retrieval, selection, work
from .data import split_of
from .training import starting_point

if TYPE_CHECKING:
    from ..exports.card import ExportSettings
    from ..exports.models import ModelExportSettings


def prepare_model(configuration: Configuration, *, model: str) -> Model:
    """Where a model comes from."""
    return configuration.models[model]


def fetch(configuration: Configuration, *, download: str) -> Download:
    """Where a file is served."""
    return configuration.downloads[download]


def ingest_corpus(configuration: Configuration, *, dataset: str) -> Dataset:
    """A dataset as far as its corpus file depends on it."""
    return configuration.datasets[dataset].only("corpus", "titles")


def ingest_queries(configuration: Configuration, *, dataset: str, split: str) -> Split:
    """A split as far as its queries file depends on it."""
    settings = split_of(configuration, dataset, split)
    kinds = ["qrels"] * settings.judged_only + ["answers"] * settings.answered_only
    return settings.only("queries", "part", "judged_only", "answered_only", "sample", *kinds)


def ingest_qrels(configuration: Configuration, *, dataset: str, split: str) -> Split:
    """A split as far as its qrels file depends on it."""
    return split_of(configuration, dataset, split).only("queries", "qrels", "unknown_passages", "unknown_queries")


def ingest_answers(configuration: Configuration, *, dataset: str, split: str) -> Split:
    """A split as far as its answers file depends on it."""
    return split_of(configuration, dataset, split).only("queries", "answers", "unknown_queries")


def find_duplicates(configuration: Configuration, *, pool: str) -> DuplicateSettings:
    """How far down the rankings passages are compared, and which judged ones."""
    settings = configuration.pools[pool]
    return DuplicateSettings(depth=settings.source.depth, relevance_level=settings.relevance_level)


def mine_negatives(configuration: Configuration, *, pool: str) -> MiningSettings:
    """A pool as far as the rows that are mined for it depend on it."""
    settings = configuration.pools[pool]
    own = {"size": settings.size, "relevance_level": settings.relevance_level}
    return MiningSettings.model_validate({"format": settings.source.format, "depth": settings.source.depth, **own})


def build_pool(configuration: Configuration, *, pool: str) -> Pool:
    """A pool, its source as the kind of rows that it is built from. Its shards hold the titles in any case."""
    settings = configuration.pools[pool]
    rows = "tevatron-ids" if settings.source.searched else settings.source.format
    source = PoolSource.model_validate({"format": rows, "path": pools.source(configuration, pool=pool)})
    source = source.only("format", "path")
    return settings.model_copy(update={"source": source}).only(*(key for key in Pool.model_fields if key != "titles"))


def divide_pool(configuration: Configuration, *, pool: str) -> DivideSettings:
    """A pool that is a part of another one."""
    settings = configuration.pools[pool]
    unsure = configuration.labels[settings.source.unsure] if settings.source.unsure else None
    keys = ("format", "pool", "percent", "seed", *(("between",) if unsure else ()))
    return DivideSettings.model_construct(
        source=settings.source.only(*keys), shards=settings.shards, method=unsure.method if unsure else None
    )


def annotate(configuration: Configuration, *, annotator: str, stage: str) -> Annotator:
    """An annotator as far as the result of a stage depends on it."""
    settings = configuration.annotators[annotator]
    return _rests_on(settings, STAGES[stage].way(settings.protocol).settings)


def _rests_on(annotator: Annotator, keys: tuple[str, ...]) -> Annotator:
    precision = ["precision"] if annotator.model is not None else []
    return annotator.only(*EVERY_STAGE, *precision, *keys)


def merge_labels(configuration: Configuration, *, labels: str) -> Labels:
    """A label set; ``reranker`` and ``calibration`` only name its input files."""
    files = ("reranker", "calibration")
    return configuration.labels[labels].only(*(key for key in Labels.model_fields if key not in files))


def label_quality(configuration: Configuration, *, labels: str) -> QualitySettings:
    """Which label set is compared with human labels."""
    settings = configuration.labels[labels]
    voted = members_of(settings.source) == "voters"
    vote = settings.only("pool", "source", "of", "queries") if voted else None
    return QualitySettings(labels=labels, source=settings.source, annotator=settings.annotator, vote=vote)


class TrainSettings(JobSettings):
    """What decides a model, beside its labels and the weights from which it starts."""

    training: Training
    backbone: Backbone | Reranker
    titles: bool
    dev_titles: bool | None = None


def train(configuration: Configuration, *, backbone: str, training: str) -> TrainSettings:
    """A training with its backbone, and whether the titles of its pools are read."""
    settings = configuration.trainings[training]
    unread = {"seeds", *(key for key in ("lora", "dev") if getattr(settings, key) is None)}

    def titles(labels: str) -> bool:
        return pools.titles(configuration, configuration.labels[labels].pool)

    whole = TrainSettings.model_construct(
        training=settings.only(*(key for key in Training.model_fields if key not in unread)),
        backbone=starting_point(configuration, backbone),
        titles=titles(settings.labels),
        dev_titles=titles(settings.dev.labels) if settings.dev else None,
    )
    return whole if settings.dev else whole.only("training", "backbone", "titles")


_VECTORS = ("model", "pooling", "append_eos", "attention", "dimension", "normalize", "model_settings")
"""What a backbone's vectors of queries and of passages depend on."""


def encode(configuration: Configuration, *, backbone: str, length: str) -> Backbone:
    """A backbone as far as vectors of passages depend on it; ``length`` is empty, or such as ``@350``."""
    settings = configuration.backbones[backbone]
    if length:
        settings = settings.model_copy(update={"passage_length": int(length.removeprefix("@"))})
    return settings.only(*_VECTORS, "passage_prefix", "passage_length")


def search(configuration: Configuration, *, backbone: str, testset: str) -> SearchSettings:
    """A test set as far as its runs depend on it, and the backbone as far as vectors of questions do."""
    settings = configuration.testsets[testset]
    encoder = retrieval.encoder(configuration, backbone=backbone, testset=testset)
    side = encoder.only(*_VECTORS, "query_prefix", "query_length")
    return SearchSettings.model_construct(
        backbone=side, depth=settings.depth, drop_query_document=settings.drop_query_document
    )


def bm25_search(configuration: Configuration, *, bm25: str, testset: str) -> Bm25SearchSettings:
    """BM25 or a variant of it, and a test set as far as its runs depend on it."""
    settings = configuration.testsets[testset]
    parameters = configuration.bm25 if bm25 == BM25 else configuration.bm25_variants[bm25]
    return Bm25SearchSettings(bm25=parameters, depth=settings.depth, drop_query_document=settings.drop_query_document)


def read_external_run(configuration: Configuration, *, external_run: str, testset: str) -> ExternalRunSettings:
    """The file of an external run, and a test set as far as its runs depend on it."""
    settings = configuration.testsets[testset]
    return ExternalRunSettings(
        path=configuration.external_runs[external_run].files[testset],
        depth=settings.depth,
        drop_query_document=settings.drop_query_document,
    )


def rerank(configuration: Configuration, *, reranked: str) -> RerankSettings:
    """A reranker, or a retriever in its place, as far as its scores depend on it, and how many passages it scores."""
    name, _ = reranking.reranker(configuration, reranked)
    depth = configuration.reranked[reranked].depth
    return RerankSettings(reranker=starting_point(configuration, name), depth=depth)


def rerank_by_llm(configuration: Configuration, *, reranked: str) -> LlmRerankSettings:
    """An annotator as far as its order depends on it, and which passages it is shown together."""
    settings = configuration.reranked[reranked]
    annotator = configuration.annotators[str(settings.annotator)]
    way = RERANKING[annotator.protocol]
    whole = LlmRerankSettings.model_construct(
        annotator=_rests_on(annotator, way.settings), depth=settings.depth, window=settings.window, step=settings.step
    )
    return whole.only("annotator", "depth", *(("window", "step") if way.reply else ()))


def score_pool(configuration: Configuration, *, reranker: str, pool: str) -> ScoreSettings:
    """A reranker, or a retriever in its place, as far as its scores depend on it, and whether it reads titles."""
    titles = pools.titles(configuration, pool)
    return ScoreSettings(reranker=starting_point(configuration, reranker), titles=titles)


def select(configuration: Configuration, *, selected: str) -> SelectSettings:
    """Which passages a calibrated reranker keeps."""
    settings = configuration.selected[selected]
    return SelectSettings(method=settings.method, threshold=settings.threshold, depth=settings.depth)


def select_by_llm(configuration: Configuration, *, selected: str) -> LlmSelectSettings:
    """An annotator as far as its selection depends on it, the stages that it goes through, and how many passages it is
    shown.
    """
    settings = configuration.selected[selected]
    annotator = configuration.annotators[str(settings.annotator)]
    stages = tuple(selection.llm_stages(configuration, selected=selected))
    keys = dict.fromkeys(key for stage in stages for key in STAGES[stage].way(annotator.protocol).settings)
    return LlmSelectSettings(annotator=_rests_on(annotator, tuple(keys)), stages=stages, depth=settings.depth)


def merge_qrels(configuration: Configuration, *, testset: str) -> MergeQrelsSettings:
    """The relevance level of a test set."""
    return MergeQrelsSettings(relevance_level=configuration.testsets[testset].relevance_level)


def match_answers(configuration: Configuration, *, testset: str) -> MatchSettings:
    """The metrics of a test set."""
    return MatchSettings(metrics=configuration.testsets[testset].metrics)


def evaluate(configuration: Configuration, *, testset: str) -> EvaluateSettings:
    """A test set as far as its figures depend on it."""
    settings = configuration.testsets[testset]
    return EvaluateSettings(testset=testset, metrics=settings.metrics, relevance_level=settings.relevance_level)


def generate_answers(configuration: Configuration, *, qa: str, generator: str) -> GenerateSettings:
    """The generator as far as answers depend on it, and the number of passages."""
    settings = _rests_on(configuration.annotators[generator], ANSWER_REPLY)
    task = configuration.qa[qa]
    return GenerateSettings.model_construct(
        generator=settings, passages=task.passages, without_passages=task.without_passages
    )


def evaluate_answers(configuration: Configuration, *, qa: str) -> EvaluateAnswersSettings:
    """Question answering as far as its figures depend on it."""
    task = configuration.qa[qa]
    return EvaluateAnswersSettings(metrics=task.metrics, layer=task.bert_score.layer if task.bert_score else None)


def results_table(configuration: Configuration, *, table: str) -> ResultsTableSettings:
    """A table of retrieval and question answering, and what it shows of its trainings and reranked runs."""
    settings = configuration.tables[table]
    return ResultsTableSettings(
        table=settings,
        seeds=results.table_seeds(configuration, table=table),
        first_stages=reranking.first_stages(configuration, table=table),
        labels=results.table_labels(configuration, table=table),
        shared_judges=shared_judges(configuration, settings.names(), settings.testsets),
        prices=configuration.cost if "usd_per_1000" in settings.answer_work else None,
    )


def judge_agreement(configuration: Configuration, *, table: str) -> AgreementSettings:
    """The judges of a table's test sets, where any questions have several."""
    return AgreementSettings(groups=tuple(results.judged_alike(configuration, table=table)))


def label_table(configuration: Configuration, *, label_table: str) -> LabelTableSettings:
    """A label table and what it shows of its label sets' settings."""
    table = configuration.label_tables[label_table]
    keys = ("source", "annotator", "top_percent", "relevance_level", "ignore", "metric", "margin")
    shown = {name: configuration.labels[name].only(*keys) for name in table.labels}
    return LabelTableSettings.model_construct(  # what was left out of a label set is not to be checked
        table=table, labels=shown, work=work.label_table_work(configuration, label_table=label_table)
    )


def cost_table(configuration: Configuration, *, cost_table: str) -> CostTableSettings:
    """A cost table, the prices, and the work behind the labels of each training."""
    table = configuration.cost_tables[cost_table]
    return CostTableSettings(
        table=table,
        seeds=results.cost_table_seeds(configuration, cost_table=cost_table),
        prices=configuration.cost,
        shared_judges=shared_judges(configuration, table.trainings, [table.testset]),
        work=work.cost_table_work(configuration, cost_table=cost_table),
    )


def write_verdict(configuration: Configuration, *, table: str) -> VerdictSettings:
    """The training that a table's verdict is about, by what it is judged, and the work behind its labels."""
    settings = configuration.tables[table]
    training, testset = str(settings.verdict), settings.testsets[0]
    return VerdictSettings(
        backbone=settings.backbones[0],
        training=training,
        testset=testset,
        metric=results.verdict_metric(configuration, table=table),
        seeds=results.verdict_seeds(configuration, table=table),
        judges=judges_of_testset(configuration, testset),
        shared_judges=shared_judges(configuration, [training], [testset]),
        prices=configuration.cost,
        work=work.verdict_work(configuration, table=table),
    )


def compare_retrievers(configuration: Configuration, *, first: str, second: str, testset: str) -> ComparisonSettings:
    """Two retrievers, a test set and its first metric."""
    settings = configuration.testsets[testset]
    return ComparisonSettings(
        first=first,
        second=second,
        testset=testset,
        metric=settings.metrics[0],
        relevance_level=settings.relevance_level,
    )


def plot_lines(configuration: Configuration, *, line_chart: str) -> LineChartSettings:
    """A chart of a metric by a number, and what it shows of its trainings' labels."""
    chart = configuration.line_charts[line_chart]
    return LineChartSettings(
        chart=chart,
        seeds=results.line_chart_seeds(configuration, line_chart=line_chart),
        labels=results.line_chart_labels(configuration, line_chart=line_chart),
        shared_judges=shared_judges(configuration, chart.trainings(), [chart.testset]),
    )


def plot_labels(configuration: Configuration, *, label_chart: str) -> LabelChart:
    """A chart of the number of positives."""
    return configuration.label_charts[label_chart]


def sample_annotations(configuration: Configuration, *, pool: str) -> CardSettings:
    """Which questions of a pool are shown in the report, and whose judgements."""
    judges = tuple(report.judges(configuration)[pool])
    chosen = configuration.report
    return CardSettings(pool=pool, questions=chosen.questions, seed=chosen.seed, judges=judges)


def annotation_cost(configuration: Configuration, *, pool: str) -> WorkSettings:
    """The stages and label sets of a pool whose work is counted."""
    stages = [judge.only("annotator", "stage", "shares") for judge in report.judges(configuration)[pool] if judge.stage]
    own = [name for name in report.shown_labels(configuration) if configuration.labels[name].pool == pool]
    work = {name: work_of_labels(configuration, name) for name in own}
    return WorkSettings(pool=pool, stages=tuple(stages), labels=work)


def write_report(configuration: Configuration) -> Configuration:
    """All that changes a result."""
    return configuration.only(*(name for name in Configuration.model_fields if name != "performance"))


def export_labels(configuration: Configuration, *, labels: str) -> ExportSettings:
    """A label set with what made it, as far as its card tells.

    Raises:
        InputError: its labels are likelihoods.
    """
    from ..exports.card import ExportSettings

    settings = configuration.labels[labels]
    if is_soft(settings.source):
        raise InputError(
            f"labels {labels} are likelihoods of source {settings.source}, of which none is a positive.",
            hint="export labels of another source.",
        )
    annotator = configuration.annotators[settings.annotator] if settings.annotator else None
    return ExportSettings(
        name=labels,
        labels=settings,
        pool=configuration.pools[settings.pool],
        annotator=annotator,
        model=configuration.models[annotator.model] if annotator and annotator.model else None,
    )


def export_model(configuration: Configuration, *, backbone: str, training: str) -> ModelExportSettings:
    """What a model's card tells of its labels, of its backbone's origin, and of the rankings that a reranker orders."""
    from ..exports.models import ModelExportSettings, Selects

    settings = configuration.trainings[training]
    first = configuration.trainings[settings.init_from].labels if settings.init_from else None
    again = exports.reranked_by(configuration, backbone=backbone, training=training)
    selected = exports.selected_by(configuration, backbone=backbone, training=training)
    return ModelExportSettings(
        name=training,
        labels=configuration.labels[settings.labels],
        init_from=configuration.labels[first] if first else None,
        source=configuration.models[starting_point(configuration, backbone).model],
        orders={name: f"the first {each.depth:,} passages of {each.retriever}" for name, each in again.items()},
        selects={
            name: Selects(labels=str(each.labels), method=each.method, threshold=each.threshold)
            for name, each in selected.items()
        },
    )
