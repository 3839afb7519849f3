"""What a name in one section refers to in another: every reference must lead somewhere that fits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ..annotation.stages import STAGES
from ..labels.sources import highest_grade, is_soft, members_of, needs_truth
from ..settings import (
    BM25,
    EXTERNAL,
    OF_NO_BACKBONE,
    UNTRAINED,
    Configuration,
    Dev,
    Labels,
    Pool,
    Reranked,
    ResultsTable,
    Selected,
    Split,
    Testset,
    Training,
)
from ..settings.base import nearest
from ..settings.reranking import again_by_name
from . import circles, documents, ignored, questions, reranking, retrieval, selection, tables
from .resources import REQUESTS, TARGETS


def problems(configuration: Configuration) -> Iterator[str]:
    """One sentence for each reference that leads nowhere or to what does not fit."""
    for name, pool in configuration.pools.items():
        yield from _pool(configuration, name, pool)
    for name, annotator in configuration.annotators.items():
        yield from _unknown(f"annotators.{name}.model", annotator.model, configuration.models, "models")
    for name, labels in configuration.labels.items():
        yield from _labels(configuration, name, labels)
    for section in ("backbones", "rerankers"):
        for name, trained in getattr(configuration, section).items():
            yield from _unknown(f"{section}.{name}.model", trained.model, configuration.models, "models")
            if name in OF_NO_BACKBONE:
                yield f"{section}.{name}: this name is reserved"
    for name in configuration.rerankers.keys() & configuration.backbones.keys():
        yield f"rerankers.{name}: a backbone has this name"
    for ranking, settings in again_by_name(configuration.reranked, configuration.selected).items():
        yield from _again(configuration, ranking, settings)
    for name in configuration.reranked.keys() & configuration.selected.keys():
        yield f"selected.{name}: a ranking of `reranked` has this name"
    for name, training in configuration.trainings.items():
        yield from _training(configuration, name, training)
    for name, testset in configuration.testsets.items():
        yield from _testset(configuration, name, testset)
    yield from _lengths(configuration)
    for module in (documents, questions, reranking, selection, circles):
        yield from module.problems(configuration)
    served = [each.served_model_name for each in configuration.annotators.values() if each.served_model_name]
    for name in configuration.performance.annotate.servers:
        if name not in served:
            yield f"performance.annotate.servers names {name!r}, which no annotator serves{nearest(name, served)}"
    if BM25 in configuration.bm25_variants:
        yield f"bm25_variants.{BM25}: this name is reserved"
    for name, run in configuration.external_runs.items():
        for searched in run.files:
            yield from _unknown(f"external_runs.{name}.files", searched, configuration.testsets, "testsets")
    for name in configuration.performance.annotate.gpus_of:
        yield from _unknown("performance.annotate.gpus_of", name, configuration.annotators, "annotators")
        if name in configuration.annotators and configuration.annotators[name].engine == "openai":
            yield f"performance.annotate.gpus_of.{name} has no effect with engine openai: remove the key"
    yield from _fsdp(configuration)
    if "hub" in configuration.downloads:
        yield "downloads.hub: this name is reserved, as raw/hub has the files of hub addresses"
    yield from _averages(configuration)
    yield from _question_answering(configuration)
    yield from _results(configuration)
    yield from _comparisons(configuration)
    yield from _target_names(configuration)
    yield from tables.problems(configuration)
    yield from ignored.problems(configuration)


def _fsdp(configuration: Configuration) -> Iterator[str]:
    train = configuration.performance.train
    if train.fsdp and train.gpus < 2:
        yield (
            f"performance.train.fsdp needs two GPUs or more, but performance.train.gpus is {train.gpus}: raise it, or "
            "set fsdp to false"
        )
    halved = [name for name, training in configuration.trainings.items() if training.precision == "fp16"]
    if train.fsdp and halved:
        others = f", as that of {len(halved) - 1} others" if halved[1:] else ""
        yield f"performance.train.fsdp does not go with trainings.{halved[0]}.precision fp16{others}: set bf16 or fp32"


def _unknown(place: str, name: str | None, section: Iterable[str], kind: str) -> Iterator[str]:
    known = list(section)
    if name is not None and name not in known:
        yield f"{place} names {name!r}, which is not in `{kind}`{nearest(name, known)}"


def _split(configuration: Configuration, member: Pool | Testset) -> Split | None:
    dataset = configuration.datasets.get(member.dataset)
    return dataset.splits.get(member.split) if dataset is not None else None


def _of_a_split(configuration: Configuration, place: str, member: Pool | Testset) -> Iterator[str]:
    yield from _unknown(f"{place}.dataset", member.dataset, configuration.datasets, "datasets")
    if member.dataset in configuration.datasets:
        splits = configuration.datasets[member.dataset].splits
        yield from _unknown(f"{place}.split", member.split, splits, f"datasets.{member.dataset}.splits")


def _pool(configuration: Configuration, name: str, pool: Pool) -> Iterator[str]:
    place = f"pools.{name}"
    yield from _of_a_split(configuration, place, pool)
    if pool.source.pool is not None:
        yield from _part(configuration, name, pool)
    if not pool.source.searched:
        return
    yield from _unknown(f"{place}.source.testset", pool.source.testset, configuration.testsets, "testsets")
    testset = configuration.testsets.get(pool.source.testset or "")
    if testset is not None and (testset.dataset, testset.split) != (pool.dataset, pool.split):
        yield f"{place}: the test set {pool.source.testset!r} is not of its dataset and split"
    if testset is not None and pool.source.depth is not None and pool.source.depth > testset.depth:
        yield f"{place}: its depth is greater than that of testsets.{pool.source.testset}, {testset.depth}"
    split = _split(configuration, pool)
    if pool.source.format == "retrieved" and split is not None and split.qrels is None:
        yield f"{place}: a source of format retrieved needs datasets.{pool.dataset}.splits.{pool.split}.qrels"
    for retriever in pool.source.retrievers:
        known = _retrievers(configuration, pool.source.testset)
        yield from _unknown(f"{place}.source.retrievers", retriever, known, "backbones/trainings")


def _part(configuration: Configuration, name: str, pool: Pool) -> Iterator[str]:
    """A pool that is a part of another one."""
    place, source = f"pools.{name}", pool.source
    yield from _unknown(f"{place}.source.pool", source.pool, configuration.pools, "pools")
    whole = configuration.pools.get(source.pool or "")
    if whole is not None and (whole.dataset, whole.split) != (pool.dataset, pool.split):
        yield f"{place}: the pool {source.pool!r} is not of its dataset and split"
    if whole is not None and whole.source.pool is not None:
        yield f"{place}: the pool {source.pool!r} is itself a part of another one; name that one"
    yield from _unknown(f"{place}.source.unsure", source.unsure, configuration.labels, "labels")
    selector = configuration.labels.get(source.unsure or "")
    if selector is not None and (selector.source, selector.pool) != ("selector", source.pool):
        yield f"{place}.source.unsure: {source.unsure!r} is not a label set of source selector on {source.pool!r}"


def _retrievers(configuration: Configuration, testset: str | None) -> list[str]:
    """The retrievers that have rankings on a test set."""
    known = [f"{BM25}/{name}" for name in (BM25, *configuration.bm25_variants)]
    known += [f"{EXTERNAL}/{run}" for run, has in configuration.external_runs.items() if testset in has.files]
    known += [
        ranking
        for ranking in again_by_name(configuration.reranked, configuration.selected)
        if (run := reranking.external_run(configuration, ranking)) is None
        or testset in configuration.external_runs[run].files
    ]
    trainings = (UNTRAINED, *configuration.trainings)
    return known + [f"{backbone}/{training}" for backbone in configuration.backbones for training in trainings]


def _labels(configuration: Configuration, name: str, labels: Labels) -> Iterator[str]:
    place = f"labels.{name}"
    yield from _unknown(f"{place}.pool", labels.pool, configuration.pools, "pools")
    yield from _unknown(f"{place}.annotator", labels.annotator, configuration.annotators, "annotators")
    annotator = configuration.annotators.get(labels.annotator or "")
    if (
        labels.source in STAGES
        and annotator is not None
        and annotator.model is None
        and STAGES[labels.source].way(annotator.protocol).reply is None
    ):
        yield f"{place}: {labels.source} asks for likelihoods, so annotators.{labels.annotator} needs `model`"
    pool = configuration.pools.get(labels.pool)
    split = _split(configuration, pool) if pool is not None else None
    if needs_truth(labels.source) and pool is not None and split is not None and not split.answers:
        yield f"{place}: {labels.source} needs datasets.{pool.dataset}.splits.{pool.split}.answers"
    yield from _reranker(configuration, place, labels.reranker)
    yield from _unknown(f"{place}.calibration", labels.calibration, configuration.labels, "labels")
    for member in labels.of:
        yield from _unknown(f"{place}.of", member, configuration.labels, "labels")
        united = configuration.labels.get(member)
        if united is None:
            continue
        of_part = configuration.pools.get(united.pool)
        part = members_of(labels.source) == "in turn" and of_part is not None and of_part.source.pool == labels.pool
        if united.pool != labels.pool and not part:
            yield f"{place}: labels.{member} are of another pool"
        if is_soft(united.source) or members_of(united.source):
            yield f"{place}: labels of source {united.source} cannot be members"
    members = [configuration.labels[member] for member in labels.of if member in configuration.labels]
    scales = {highest_grade(member.source) for member in members}
    if len(scales) > 1 and members_of(labels.source) != "voters":
        yield f"{place}.of: labels with grades up to {max(scales)} and up to {min(scales)} are on different scales"


def _training(configuration: Configuration, name: str, training: Training) -> Iterator[str]:
    place = f"trainings.{name}"
    yield from _unknown(f"{place}.labels", training.labels, configuration.labels, "labels")
    yield from _unknown(f"{place}.init_from", training.init_from, configuration.trainings, "trainings")
    if training.dev:
        yield from _dev(configuration, name, training.dev)
    if name in (UNTRAINED, BM25):
        yield f"{place}: this name is reserved"


def _reranker(configuration: Configuration, place: str, name: str) -> Iterator[str]:
    """A model that scores pairs: a reranker, or a retriever in its place."""
    models = (*configuration.rerankers, *configuration.backbones)
    known = [f"{model}/{training}" for model in models for training in (UNTRAINED, *configuration.trainings)]
    yield from _unknown(f"{place}.reranker", name or None, known, "rerankers/trainings` or `backbones/trainings")


def _again(configuration: Configuration, ranking: str, settings: Reranked | Selected) -> Iterator[str]:
    place, name = ranking.replace("/", "."), ranking.partition("/")[2]
    if isinstance(settings, Reranked):
        yield from _reranker(configuration, place, settings.reranker)
    else:
        yield from _unknown(f"{place}.labels", settings.labels, configuration.labels, "labels")
    yield from _unknown(f"{place}.annotator", settings.annotator, configuration.annotators, "annotators")
    retrievers = {each for testset in configuration.testsets for each in _retrievers(configuration, testset)}
    yield from _unknown(f"{place}.retriever", settings.retriever, sorted(retrievers), "backbones/trainings")
    if name in (UNTRAINED, BM25):
        yield f"{place}: this name is reserved"
    for kind, others in (("a training", configuration.trainings), ("an external run", configuration.external_runs)):
        if name in others:
            yield f"{place}: {kind} has this name"


def _dev(configuration: Configuration, name: str, dev: Dev) -> Iterator[str]:
    place = f"trainings.{name}.dev.labels"
    yield from _unknown(place, dev.labels, configuration.labels, "labels")
    if dev.labels not in configuration.labels:
        return
    labels = configuration.labels[dev.labels]
    if is_soft(labels.source):
        yield f"{place}: labels of source {labels.source} have no positives"
    if name in _finders(configuration, dev.labels):
        yield f"{place}: the pool {labels.pool!r} of {dev.labels!r} rests on what this training's own model finds"
    seen: list[str] = []
    stage: str | None = name
    while stage in configuration.trainings and stage not in seen:
        seen.append(stage)
        if configuration.trainings[stage].labels == dev.labels:
            yield f"{place}: {'it' if stage == name else f'its first stage {stage!r}'} is trained on {dev.labels!r}"
        stage = configuration.trainings[stage].init_from


def _finders(configuration: Configuration, labels: str) -> set[str]:
    """The trainings that come before a label set: their models find the candidates of its pool, or of their labels'."""
    found: set[str] = set()
    sets = [labels]
    for each in sets:  # grows
        pool = configuration.pools.get(configuration.labels[each].pool) if each in configuration.labels else None
        retrievers = pool.source.retrievers if pool else ()
        names = [name for retriever in retrievers for _, name in reranking.models(configuration, retriever)]
        for name in names:  # grows by first stages
            training = configuration.trainings.get(name)
            if training is not None and name not in found:
                found.add(name)
                sets += [training.labels, *([training.dev.labels] if training.dev else [])]
                names += [training.init_from] if training.init_from else []
    return found


def _testset(configuration: Configuration, name: str, testset: Testset) -> Iterator[str]:
    place = f"testsets.{name}"
    yield from _of_a_split(configuration, place, testset)
    split = _split(configuration, testset)
    if testset.relevant == "answers" and split is not None and split.answers is None:
        yield f"{place}: `relevant: answers` needs datasets.{testset.dataset}.splits.{testset.split}.answers"
    yield from _unknown(f"{place}.labels", testset.labels, configuration.labels, "labels")
    labels = configuration.labels.get(testset.labels or "")
    if labels is not None and is_soft(labels.source):
        yield f"{place}: labels of source {labels.source} have no positives"
    pool = configuration.pools.get(labels.pool) if labels is not None else None
    if pool is not None and (pool.dataset, pool.split) != (testset.dataset, testset.split):
        yield f"{place}: labels.{testset.labels} are not of its dataset and split"


def _not_computed(
    configuration: Configuration, place: str, metrics: Iterable[str], names: Iterable[str]
) -> Iterator[str]:
    """Metrics that are shown although none of these test sets, averages and tasks of question answering has them."""
    found: set[str] = set()
    for name in names:
        if name in configuration.qa:
            found |= set(configuration.qa[name].metrics)
        each = [configuration.testsets.get(member) for member in _members(configuration, [name], set())]
        members = [set(testset.metrics) for testset in each if testset is not None]
        found |= set.intersection(*members) if members else set()
    for metric in metrics:
        if found and metric not in found:
            yield f"{place} names {metric!r}, which is not computed there{nearest(metric, sorted(found))}"


def _lengths(configuration: Configuration) -> Iterator[str]:
    """Only a backbone has lengths, so those of a test set that BM25 alone searches would be read and ignored."""
    by_backbone: dict[str, bool] = {}
    for shown, backbone in _searches(configuration):
        for name in _members(configuration, [shown], set()):
            by_backbone[name] = by_backbone.get(name, False) or backbone
    for name, testset in configuration.testsets.items():
        for key in ("query_length", "passage_length"):
            if getattr(testset, key) is not None and not by_backbone.get(name, bool(configuration.backbones)):
                yield f"testsets.{name}.{key} has no effect, as only BM25 searches this test set: remove the key"


def _searches(configuration: Configuration) -> Iterator[tuple[str, bool]]:
    """Each test set or average that a table, a chart or a pool rests on, and whether a backbone searches it."""
    for table in configuration.tables.values():
        tasks = (configuration.qa[name].testset for name in table.qa if name in configuration.qa)
        again = (reranking.by_backbone(configuration, ranking) for ranking in table.on_top())
        backbone = bool(table.backbones) or any(again)
        yield from ((name, backbone) for name in (*table.testsets, *tasks))
    yield from ((table.testset, True) for table in configuration.cost_tables.values())
    yield from ((chart.testset, True) for chart in configuration.line_charts.values())
    for source in (pool.source for pool in configuration.pools.values()):
        if source.testset is not None:
            yield source.testset, any(reranking.by_backbone(configuration, name) for name in source.retrievers)


def _judged(configuration: Configuration, place: str, name: str) -> Iterator[str]:
    """A test set or average that is shown: it exists, and there is something to judge by."""
    yield from _unknown(place, name, [*configuration.testsets, *configuration.averages], "testsets")
    testset = configuration.testsets.get(name)
    split = _split(configuration, testset) if testset is not None else None
    if testset is not None and split is not None and testset.relevant == "qrels" and split.qrels is None:
        yield f"{place}: split {testset.split!r} of dataset {testset.dataset!r}, of test set {name!r}, has no qrels"


def _averages(configuration: Configuration) -> Iterator[str]:
    for name, average in configuration.averages.items():
        if name in configuration.testsets:
            yield f"averages.{name}: a test set has this name"
        for member in average.testsets:
            yield from _judged(configuration, f"averages.{name}.testsets", member)
        if name in _members(configuration, average.testsets, set()):
            yield f"averages.{name}: it is an average of itself"


def _members(configuration: Configuration, names: Iterable[str], seen: set[str]) -> set[str]:
    """All test sets and averages to which names lead."""
    for name in names:
        if name not in seen:
            seen.add(name)
            if name in configuration.averages:
                _members(configuration, configuration.averages[name].testsets, seen)
    return seen


def _question_answering(configuration: Configuration) -> Iterator[str]:
    for name, task in configuration.qa.items():
        place = f"qa.{name}"
        yield from _unknown(f"{place}.testset", task.testset, configuration.testsets, "testsets")
        testset = configuration.testsets.get(task.testset)
        split = _split(configuration, testset) if testset is not None else None
        if testset is not None and split is not None and split.answers is None:
            yield f"{place}: it needs datasets.{testset.dataset}.splits.{testset.split}.answers"
        if testset is not None and testset.depth < task.passages:
            yield f"{place}: testsets.{task.testset} retrieves {testset.depth} passages, fewer than {task.passages}"
        if task.bert_score is not None:
            yield from _unknown(f"{place}.bert_score.model", task.bert_score.model, configuration.models, "models")


def _results(configuration: Configuration) -> Iterator[str]:
    known = [UNTRAINED, *configuration.trainings]
    for name, table in configuration.tables.items():
        yield from _results_table(configuration, f"tables.{name}", table, known)
    for name, label_table in configuration.label_tables.items():
        for labels in label_table.labels:
            yield from _unknown(f"label_tables.{name}.labels", labels, configuration.labels, "labels")
        yield from _unknown(f"label_tables.{name}.against", label_table.against, configuration.labels, "labels")
        against = configuration.labels.get(label_table.against or "")
        if against is not None and is_soft(against.source):
            yield f"label_tables.{name}.against: labels of source {against.source} have no positives"
    for name, chart in configuration.label_charts.items():
        for labels in chart.labels:
            yield from _unknown(f"label_charts.{name}.labels", labels, configuration.labels, "labels")
    for name, cost in configuration.cost_tables.items():
        place = f"cost_tables.{name}"
        yield from _unknown(f"{place}.backbone", cost.backbone, configuration.backbones, "backbones")
        yield from _judged(configuration, f"{place}.testset", cost.testset)
        for training in cost.trainings:
            yield from _unknown(f"{place}.trainings", training, configuration.trainings, "trainings")
    for name, lines in configuration.line_charts.items():
        place = f"line_charts.{name}"
        yield from _unknown(f"{place}.backbone", lines.backbone, configuration.backbones, "backbones")
        yield from _judged(configuration, f"{place}.testset", lines.testset)
        yield from _not_computed(configuration, f"{place}.metric", [lines.metric], [lines.testset])
        for training in lines.trainings():
            yield from _unknown(f"{place}.series", training, known, "trainings")


def _results_table(configuration: Configuration, place: str, table: ResultsTable, known: list[str]) -> Iterator[str]:
    for backbone in table.backbones:
        yield from _unknown(f"{place}.backbones", backbone, configuration.backbones, "backbones")
    shown = {row.training for row in table.shown()}
    beside = (*table.external_runs, *table.reranked, *table.selected)
    compared = table.groups or table.baseline in beside
    baselines = {table.baseline, *(group.second_baseline for group in table.groups)} if compared else set()
    for training in sorted(shown):
        yield from _unknown(f"{place}.groups", training, known, "trainings")
    for baseline in sorted(filter(None, baselines)):
        if baseline not in shown and baseline not in beside:
            yield f"{place}: the baseline {baseline!r} must be one of its trainings, or null for no marks"
    for name in table.bm25_variants:
        yield from _unknown(f"{place}.bm25_variants", name, configuration.bm25_variants, "bm25_variants")
    for name in table.external_runs:
        yield from _unknown(f"{place}.external_runs", name, configuration.external_runs, "external_runs")
    for name in table.reranked:
        yield from _unknown(f"{place}.reranked", name, configuration.reranked, "reranked")
    for name in table.selected:
        yield from _unknown(f"{place}.selected", name, configuration.selected, "selected")
    tasks = [configuration.qa[task].testset for task in table.qa if task in configuration.qa]
    rows = [f"{kind}/{name}" for kind, _, name in table.beside()]
    for run in dict.fromkeys(filter(None, (reranking.external_run(configuration, row) for row in rows))):
        if retrieval.external_testsets(configuration, run).isdisjoint([*table.testsets, *tasks]):
            yield f"{place}: external_runs.{run} has no file for any of its test sets"
    for testset in table.testsets:
        yield from _judged(configuration, f"{place}.testsets", testset)
    yield from _not_computed(configuration, f"{place}.metrics", table.metrics, (*table.testsets, *table.qa))
    for task in table.qa:
        yield from _unknown(f"{place}.qa", task, configuration.qa, "qa")
    for generator in table.generators:
        yield from _unknown(f"{place}.generators", generator, configuration.annotators, "annotators")


def _comparisons(configuration: Configuration) -> Iterator[str]:
    for number, shown in enumerate(configuration.report.comparisons):
        place = f"report.comparisons.{number}"
        yield from _unknown(f"{place}.testset", shown.testset, configuration.testsets, "testsets")
        for retriever in (shown.first, shown.second):
            known = _retrievers(configuration, shown.testset)
            yield from _unknown(place, retriever, known, "backbones/trainings")
        if shown.first == shown.second:
            yield f"{place}: {shown.first} is compared with itself"


def _target_names(configuration: Configuration) -> Iterator[str]:
    """Each table and each figure is a target of its own name."""
    sections = ("tables", "label_tables", "cost_tables", "line_charts", "label_charts")
    names = Counter(name for section in sections for name in getattr(configuration, section))
    for name, times in names.items():
        if times > 1:
            yield f"{name}: two tables or figures have this name"
        if name in TARGETS or name in REQUESTS:
            yield f"{name}: a table or figure cannot have this name, as a target or a rule of the workflow has it"
