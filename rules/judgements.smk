"""Takes: qrels, labels, runs, answers. Leaves: results/qrels/, where a test set asks for more than its split's qrels.

Which judgements a test set is evaluated by is decided in one place, `testset_qrels` of common.smk.
"""


rule merge_qrels:
    """The positives of the test set's labels, with human judgements or alone, for the questions that are labelled."""
    input:
        qrels=testset_human_qrels,
        labels=testset_labels,
        duplicates=lambda wildcards: pool_duplicates(
            CONFIG.labels[CONFIG.testsets[wildcards.testset].labels].pool
        ),
    output:
        "results/qrels/{testset}.parquet",
    log:
        "logs/merge_qrels/{testset}.log",
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(4000),
    params:
        code=code("merge_qrels"),
    shell:
        "python workflow/scripts/merge_qrels.py --qrels {input.qrels} --labels {input.labels}"
        " --duplicates {input.duplicates} --output {output} > {log} 2>&1"


rule match_answers:
    """Which of the passages that a run retrieved hold an answer to their question."""
    input:
        run="results/runs/{backbone}/{training}/{testset}.parquet",
        answers=lambda wildcards: split_data("answers", wildcards.testset, "testsets"),
        corpus=testset_corpus,
    output:
        "results/qrels/{backbone}/{training}/{testset}.parquet",
    log:
        "logs/match_answers/{backbone}-{training}-{testset}.log",
    benchmark:
        "benchmarks/jobs/match_answers/{backbone}-{training}-{testset}.tsv"
    wildcard_constraints:
        backbone="|".join(map(re.escape, (BM25, *CONFIG.backbones))),
        run="|".join(map(re.escape, (BM25, UNTRAINED, *CONFIG.trainings))),
    conda:
        "../envs/core.yaml"
    resources:
        mem_mb=growing(4000),
    params:
        settings=lambda wildcards: canonical(
            CONFIG.testsets[wildcards.testset].model_dump(
                mode="json", include={"metrics"}
            )
        ),
        code=code("match_answers"),
    shell:
        "python workflow/scripts/match_answers.py --settings {params.settings:q} --run {input.run}"
        " --answers {input.answers} --corpus {input.corpus} --output {output} > {log} 2>&1"
