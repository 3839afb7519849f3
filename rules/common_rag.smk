"""Functions only: what the rules of question answering ask of the configuration."""

from utility_annotation.annotation.templates import question_template_name


def qa_testset(wildcards) -> str:
    """The test set whose runs supply the passages."""
    return CONFIG.qa[wildcards.qa].testset


def qa_data(kind: str):
    """Function of the wildcards: path of the queries or answers of the questions."""
    return lambda wildcards: split_data(kind, qa_testset(wildcards), "testsets")


def qa_corpus(wildcards) -> str:
    """The corpus from which the passages come."""
    return f"data/{CONFIG.testsets[qa_testset(wildcards)].dataset}/corpus.parquet"


def qa_run(wildcards) -> str:
    """The run that ranks the passages."""
    return f"results/runs/{wildcards.backbone}/{wildcards.training}/{qa_testset(wildcards)}.parquet"


def qa_template(wildcards) -> str:
    """The template of the style in which the questions are answered."""
    style = CONFIG.qa[wildcards.qa].style
    return f"resources/prompts/{question_template_name(style)}"


def generator_settings(wildcards) -> str:
    """The generator's settings as far as answers depend on them, and the number of passages. The style is in the
    template, which is an input.
    """
    settings = configuration.stage_settings(annotator_of(wildcards), "generate")
    return canonical(settings | {"passages": CONFIG.qa[wildcards.qa].passages})


def answer_metrics(wildcards) -> str:
    """What is evaluated, and by which metrics."""
    task = CONFIG.qa[wildcards.qa]
    names = {name: wildcards[name] for name in ("backbone", "training", "qa", "generator")}
    layer = {"layer": task.bert_score.layer} if task.bert_score else {}
    return canonical(names | {"metrics": list(task.metrics)} | layer)


def bert_score_model(wildcards) -> list[str]:
    """Folder of the encoder of BERTScore; none where that is not asked for."""
    bert_score = CONFIG.qa[wildcards.qa].bert_score
    return [f"data/models/{bert_score.model}"] if bert_score else []


def bert_score_gpus(wildcards) -> int:
    """GPUs of an evaluation of answers: those of an encoding job, where BERTScore is asked for."""
    return CONFIG.performance.encode.gpus if CONFIG.qa[wildcards.qa].bert_score else 0
