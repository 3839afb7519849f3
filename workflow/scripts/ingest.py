"""Read corpora, documents, questions, judgements and answers of the outside world into parquet files of our schemas."""

from __future__ import annotations

import argparse
from pathlib import Path

from utility_annotation.common.errors import run_script
from utility_annotation.io import ingest
from utility_annotation.planning import document_jobs, jobs, questions
from utility_annotation.planning import documents as files
from utility_annotation.planning.command import Commands, configuration_of


def corpus(arguments: argparse.Namespace) -> None:
    """Read a corpus."""
    settings = jobs.ingest_corpus(configuration_of(arguments), dataset=arguments.dataset)
    ingest.ingest_corpus(settings, arguments.output)


def documents(arguments: argparse.Namespace) -> None:
    """Read a shard of the files of a folder of documents."""
    from utility_annotation.documents.reading import read_documents

    configuration = configuration_of(arguments)
    settings = document_jobs.ingest_documents(configuration, dataset=arguments.dataset)
    threads = configuration.performance.threads
    read_documents(Path(settings.path), arguments.shard, arguments.output, processes=threads)


def passages(arguments: argparse.Namespace) -> None:
    """Divide documents into passages."""
    from utility_annotation.documents.corpus import Outputs, make_corpus
    from utility_annotation.documents.passages import Splitter, load_tokenizer

    configuration = configuration_of(arguments)
    settings = document_jobs.ingest_passages(configuration, dataset=arguments.dataset)
    documents = settings.documents
    assert documents is not None, "the rule is for datasets that have documents"
    names = (Path(shard).name for shard in files.shards(configuration, dataset=arguments.dataset))
    tokenizer = load_tokenizer(arguments.tokenizer)
    splitter = Splitter(tokenizer, documents.passage_length, documents.overlap, titles=settings.titles)
    outputs = Outputs(arguments.output, arguments.origins, arguments.files, arguments.files.with_suffix(".json"))
    shards = [arguments.documents / name for name in names]
    make_corpus(documents.path, shards, splitter, outputs, configuration.performance.threads)


def read(arguments: argparse.Namespace) -> None:
    """Read the questions that an LLM wrote about a shard of passages, and ask the filters that look at each alone."""
    from utility_annotation.questions.read import read_questions

    configuration, name, shard = configuration_of(arguments), arguments.questions, arguments.shard
    settings = document_jobs.read_questions(configuration, questions=name)
    files = questions.replies(configuration, name, shard)
    pool = Path(questions.pool_shard(configuration, questions=name, shard=shard))
    read_questions(pool, {style: Path(files[style]) for style in settings.styles}, arguments.origins, arguments.output)


def collect(arguments: argparse.Namespace) -> None:
    """Bring the questions of all shards together, and drop those that ask what another one asks."""
    from utility_annotation.questions.collect import collect as write_candidates

    shards = questions.shards(configuration_of(arguments), questions=arguments.questions)
    write_candidates(list(map(Path, shards)), arguments.output, arguments.dropped)


def keep(arguments: argparse.Namespace) -> None:
    """Keep the questions that a search and an LLM confirm, and divide them by document."""
    from utility_annotation.questions.keep import Outputs
    from utility_annotation.questions.keep import keep as write_kept

    settings = document_jobs.keep_questions(configuration_of(arguments), questions=arguments.questions)
    names = ("train.parquet", "held-out.parquet", "dropped.parquet", "summary.json")
    outputs = Outputs(*(arguments.output / name for name in names))
    write_kept(settings, arguments.candidates, arguments.unfit, arguments.run_file, arguments.labels, outputs)


def queries(arguments: argparse.Namespace) -> None:
    """Read a split's questions."""
    settings = jobs.ingest_queries(configuration_of(arguments), dataset=arguments.dataset, split=arguments.split)
    ingest.ingest_queries(settings, arguments.output)


def qrels(arguments: argparse.Namespace) -> None:
    """Read a split's judgements and check them against its questions and the corpus."""
    settings = jobs.ingest_qrels(configuration_of(arguments), dataset=arguments.dataset, split=arguments.split)
    ingest.ingest_qrels(settings, arguments.corpus, arguments.queries, arguments.output)


def answers(arguments: argparse.Namespace) -> None:
    """Read a split's ground-truth answers."""
    settings = jobs.ingest_answers(configuration_of(arguments), dataset=arguments.dataset, split=arguments.split)
    ingest.ingest_answers(settings, arguments.queries, arguments.output)


def main(argv: list[str] | None) -> None:
    """Command line; see ``--help``."""
    commands = Commands(__doc__)
    for run in (corpus, documents, passages, queries, qrels, answers):
        parser = commands.add(run, run.__name__)
        parser.add_argument("--dataset", required=True, help="a name from `datasets`")
        if run in (queries, qrels, answers):
            parser.add_argument("--split", required=True, help="one of its splits")
        if run is documents:
            parser.add_argument("--shard", required=True, help="such as 0003-of-0064")
        if run is passages:
            parser.add_argument("--documents", required=True, type=Path, help="folder of what was read (parquet)")
            parser.add_argument("--tokenizer", required=True, type=Path, help="folder of the model whose tokens count")
            parser.add_argument(
                "--origins", required=True, type=Path, help="where passages are from, to write (parquet)"
            )
            parser.add_argument("--files", required=True, type=Path, help="what became of each file, to write (CSV)")
        if run is qrels:
            parser.add_argument("--corpus", required=True, type=Path, help="the dataset's corpus (parquet)")
        if run in (qrels, answers):
            parser.add_argument("--queries", required=True, type=Path, help="the split's questions (parquet)")
        parser.add_argument("--output", required=True, type=Path, help="file to write (parquet)")
    for run in (read, collect, keep):
        parser = commands.add(run, run.__name__)
        parser.add_argument("--questions", required=True, help="a name from `questions`")
        if run is read:
            parser.add_argument("--shard", required=True, help="such as 0003-of-0064")
            parser.add_argument(
                "--origins", type=Path, nargs="?", help="the documents of the passages (parquet), if any"
            )
            parser.add_argument("--output", required=True, type=Path, help="file to write (parquet)")
        elif run is collect:
            parser.add_argument("--output", required=True, type=Path, help="file of the candidates to write (parquet)")
            parser.add_argument("--dropped", required=True, type=Path, help="file of the others to write (parquet)")
        else:
            parser.add_argument("--candidates", required=True, type=Path, help="the candidates (parquet)")
            parser.add_argument("--unfit", required=True, type=Path, help="what was dropped before (parquet)")
            parser.add_argument("--run-file", type=Path, nargs="?", help="the ranking of a round trip (parquet)")
            parser.add_argument("--labels", type=Path, nargs="?", help="labels of the candidates (parquet)")
            parser.add_argument("--output", required=True, type=Path, help="folder to write")
    commands.run(argv)


if __name__ == "__main__":
    run_script(main)
