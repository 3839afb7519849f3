"""Functions only: what the rules of downloads and datasets ask of the configuration."""

from collections.abc import Iterator

from utility_annotation.io.archives import is_tar
from utility_annotation.common.file_digest import content_digest
from utility_annotation.io.formats.lines import on_disk


def outside_settings() -> Iterator[tuple[str, str]]:
    """Every setting that names a file of the outside world, with that file's path."""
    for name, dataset in CONFIG.datasets.items():
        yield f"datasets.{name}.corpus.path", dataset.corpus.path
        for part, split in dataset.splits.items():
            for kind in ("queries", "qrels", "answers"):
                if (source := getattr(split, kind)) is not None:
                    yield f"datasets.{name}.splits.{part}.{kind}.path", source.path
    for name, pool in CONFIG.pools.items():
        if pool.source.path is not None:
            yield f"pools.{name}.source.path", pool.source.path
    for name, labels in CONFIG.labels.items():
        if labels.file is not None:
            yield f"labels.{name}.file.path", labels.file.path


def outside_paths() -> Iterator[str]:
    """Every path at which the configuration expects a file of the outside world."""
    return (path for _, path in outside_settings())


def download_of(path: str) -> tuple[str, str] | None:
    """The download to which a path leads, and what follows `raw/NAME/` in it; none for any other path."""
    match Path(path).parts:
        case ("raw", name, first, *rest) if name in CONFIG.downloads and ".." not in (
            first,
            *rest,
        ):
            return name, "/".join((first, *rest))
    return None


def fetched_file(download: str) -> str:
    """Where a download is kept."""
    return f"raw/{download}/{CONFIG.downloads[download].file}"


def members_to_unpack() -> dict[str, set[str]]:
    """The members of each tar download that the configuration names.

    A member that lies there while its archive does not is taken as it is: nothing is fetched to unpack it again.
    """
    members = {name: set() for name in CONFIG.downloads if is_tar(fetched_file(name))}
    for name, member in filter(None, map(download_of, outside_paths())):
        alone = (
            Path("raw", name, member).exists() and not Path(fetched_file(name)).exists()
        )
        if name in members and member != CONFIG.downloads[name].file and not alone:
            members[name].add(member)
    return members


def below_raw(files: dict[str, set[str]]) -> str:
    """Pattern of a file after `raw/{download}/`: of those given, by download, and only behind their own download."""
    return (
        "|".join(
            f"(?<=^raw/{re.escape(download)}/)(?:{'|'.join(map(re.escape, sorted(names)))})"
            for download, names in files.items()
            if names
        )
        or "(?!)"
    )


def outside_file(path: str) -> str:
    """The file that a path of the outside world needs: the zip that holds it, or the file itself, fetched or not yet."""
    found = download_of(path)
    if found is not None:
        name, rest = found
        kept = CONFIG.downloads[name].file
        if kept.endswith(".zip") and rest.startswith(f"{kept}/"):
            return fetched_file(name)
    return str(on_disk(Path(path)))


def source_file(source: configuration.Source, member: str) -> str:
    """The file to watch for a source: the member of a folder, or what `outside_file` says."""
    inside = Path(source.path) / member
    return str(inside) if inside.is_file() else outside_file(source.path)


def given(file: str) -> bool:
    """Whether a file is a user's own: it is there, and no rule makes it."""
    made = download_of(file) is not None or Path(file).parts[0] in ("data", "results")
    return not made and Path(file).is_file()


def watched(files):
    """Function of the wildcards: files to wait for. A user's own are known by `content`, whatever their time."""
    return lambda wildcards: [
        ancient(file) if given(file) else file for file in files(wildcards)
    ]


def content(files):
    """Function of the wildcards: a digest of each file that is a user's own; as a parameter it makes what was made of
    another content stale, and a copy, a checkout or a touch makes nothing so.
    """
    return lambda wildcards: [
        content_digest(file, ".snakemake/content")
        for file in files(wildcards)
        if given(file)
    ]


def local_copy(wildcards) -> list[str]:
    """A copy of the user's that stands for a download."""
    local = CONFIG.downloads[wildcards.download].local
    return [] if local is None else [local]


def corpus_files(wildcards) -> list[str]:
    """What a corpus is read from."""
    return [source_file(CONFIG.datasets[wildcards.dataset].corpus, "corpus.jsonl")]


def split_files(*kinds: str):
    """Function of the wildcards: what a split's queries, qrels or answers are read from, as far as it has them."""
    members = {
        "queries": "queries.jsonl",
        "qrels": "qrels/{split}.tsv",
        "answers": "answers.jsonl",
    }

    def files(wildcards) -> list[str]:
        split = split_of(wildcards)
        sources = {kind: getattr(split, kind) for kind in kinds}
        return [
            source_file(source, members[kind].format(split=wildcards.split))
            for kind, source in sources.items()
            if source is not None
        ]

    return files


def queries_files(wildcards) -> list[str]:
    """What a split's questions are read from, and what decides which of them are kept."""
    split = split_of(wildcards)
    kinds = [
        *(["qrels"] if split.judged_only else []),
        *(["answers"] if split.answered_only else []),
    ]
    return split_files("queries", *kinds)(wildcards)


def pool_files(pool: str):
    """Function of the wildcards: the training rows from which a pool is built."""
    return lambda wildcards: [outside_file(pool_source(pool))]


def split_of(wildcards) -> configuration.Split:
    """The split that a rule's wildcards name."""
    splits = CONFIG.datasets[wildcards.dataset].splits
    if wildcards.split not in splits:
        raise WorkflowError(
            f"dataset {wildcards.dataset} has no split {wildcards.split}; it has {', '.join(splits)}."
        )
    return splits[wildcards.split]


def corpus_settings(wildcards) -> str:
    """A dataset as far as its corpus file depends on it."""
    dataset = CONFIG.datasets[wildcards.dataset]
    used = dataset.model_dump(mode="json", include={"corpus", "titles"})
    return canonical(used | {"splits": {}})


def split_settings(kind: str):
    """Function of the wildcards: a split as far as its queries, qrels or answers file depends on it."""

    def settings(wildcards) -> str:
        split = split_of(wildcards)
        used = {
            "queries": {"part", "judged_only", "answered_only", "sample"}
            | ({"qrels"} if split.judged_only else set())
            | ({"answers"} if split.answered_only else set()),
            "qrels": {"qrels", "unknown_passages", "unknown_queries"},
            "answers": {"answers", "unknown_queries"},
        }[kind]
        return canonical(split.model_dump(mode="json", include={"queries", *used}))

    return settings


def split_data(kind: str, name: str, section: str) -> str:
    """Path of the queries, qrels or answers of a configured pool or test set."""
    member = getattr(CONFIG, section)[name]
    return f"data/{member.dataset}/{kind}/{member.split}.parquet"
