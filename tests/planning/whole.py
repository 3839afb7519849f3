"""A configuration with a member of every section, for tests of what is planned from it."""

from __future__ import annotations

import copy
from typing import Any

from utility_annotation.planning.loading import load
from utility_annotation.settings import Configuration

RAW: dict[str, Any] = {
    "models": {
        "llm": {"hub": "some/LLM", "revision": "v1"},
        "bert": {"path": "models/bert", "max_length": 512},
    },
    "downloads": {
        "packed": {"url": "https://host/a/packed.tar.gz", "md5": "0" * 32, "bytes": 7},
        "zipped": {"url": "https://host/a/zipped.zip", "local": "mine/zipped.zip"},
    },
    "datasets": {
        "data": {
            "corpus": {"format": "jsonl", "path": "raw/packed/corpus.jsonl"},
            "shards": 2,
            "splits": {
                "train": {
                    "queries": {"format": "jsonl", "path": "raw/packed/queries.jsonl"},
                    "qrels": {"format": "trec", "path": "own/qrels.txt"},
                    "answers": {"format": "jsonl", "path": "raw/zipped/zipped.zip/answers.jsonl"},
                },
                "dev": {
                    "queries": {"format": "jsonl", "path": "own/dev.jsonl"},
                    "qrels": {"format": "beir", "path": "own/beir"},
                    "answers": {"format": "jsonl", "path": "own/answers.jsonl"},
                    "judged_only": True,
                    "answered_only": True,
                    "part": {"percent": [0, 50]},
                    "sample": {"queries": 9},
                },
                "asked": {"queries": {"format": "jsonl", "path": "own/asked.jsonl"}},
            },
        },
        "written": {
            "documents": {"path": "own/documents", "tokenizer": "llm", "passage_length": 64, "overlap": 8, "shards": 2},
            "splits": {
                "made": {
                    "queries": {"format": "parquet", "path": "results/questions/made/candidates.parquet"},
                    "qrels": {"format": "parquet", "path": "results/questions/made/candidates.parquet"},
                    "answers": {"format": "parquet", "path": "results/questions/made/candidates.parquet"},
                }
            },
        },
    },
    "pools": {
        "rows": {"dataset": "data", "source": {"path": "own/rows.jsonl"}, "size": 9, "shards": 2},
        "ids": {"dataset": "data", "source": {"format": "tevatron-ids", "path": "own/ids.jsonl"}},
        "found": {
            "dataset": "data",
            "split": "asked",
            "source": {
                "format": "merged",
                "testset": "asked",
                "retrievers": ["bm25/bm25", "encoder/human"],
                "depth": 50,
                "duplicates": "drop",
            },
        },
        "dev": {
            "dataset": "data",
            "split": "dev",
            "source": {"format": "retrieved", "testset": "dev", "duplicates": "drop"},
        },
        "part": {"dataset": "data", "source": {"format": "pool", "pool": "rows", "percent": [0, 50]}},
        "unsure": {"dataset": "data", "source": {"format": "pool", "pool": "rows", "unsure": "by-selector"}},
        "passages": {"dataset": "written", "split": "made", "source": {"format": "passages", "sample": 50}},
        "passages-too": {"dataset": "written", "split": "made", "source": {"format": "passages", "sample": 5}},
        "of-made": {"dataset": "written", "split": "made", "source": {"format": "merged", "testset": "made"}},
    },
    "questions": {
        "made": {
            "pool": "passages",
            "annotator": "list",
            "round_trip": {"testset": "made", "depth": 20},
            "answerable": "answerable",
        },
    },
    "annotators": {
        "list": {"model": "llm"},
        "point": {"model": "llm", "protocol": "pointwise"},
        "served": {"engine": "openai", "served_model_name": "far"},
    },
    "labels": {
        "human": {"pool": "rows", "source": "human"},
        "few": {"pool": "rows", "source": "human", "queries": {"percent": 20}},
        "useful": {"pool": "rows", "source": "utilsel", "annotator": "list"},
        "ranked": {"pool": "rows", "source": "utilrank", "annotator": "point"},
        "given-truth": {"pool": "rows", "source": "utilsel-truth", "annotator": "list"},
        "likely": {"pool": "rows", "source": "replug", "annotator": "point"},
        "gained": {"pool": "rows", "source": "gain-short", "annotator": "list", "metric": "f1"},
        "theirs": {"pool": "rows", "source": "file", "file": {"format": "trec", "path": "own/theirs.txt"}},
        "answerable": {"pool": "of-made", "source": "utilsel-truth", "annotator": "list"},
        "both": {"pool": "rows", "source": "union", "of": ["useful", "theirs"]},
        "voted": {"pool": "rows", "source": "vote", "of": ["human", "few", "ranked"]},
        "of-part": {"pool": "part", "source": "utilsel", "annotator": "list"},
        "by-selector": {"pool": "rows", "source": "selector", "reranker": "cross/useful", "calibration": "asked"},
        "in-turn": {"pool": "rows", "source": "cascade", "of": ["of-part", "by-selector"]},
        "judged": {"pool": "dev", "source": "relsel", "annotator": "served"},
        "asked": {"pool": "found", "source": "relsel", "annotator": "list"},
    },
    "backbones": {"encoder": {"model": "bert"}},
    "rerankers": {"cross": {"model": "bert"}},
    "trainings": {
        "human": {"labels": "human", "loss": "singlelh"},
        "useful": {"labels": "useful"},
        "refined": {"labels": "few", "init_from": "useful", "positives": "pos-one"},
        "likely": {"labels": "likely", "loss": "kl", "lora": {}, "dev": {"labels": "judged", "every": 10}},
    },
    "testsets": {
        "dev": {"dataset": "data", "split": "dev"},
        "judged": {"dataset": "data", "split": "dev", "labels": "judged", "metrics": ["ndcg@10"]},
        "labelled": {"dataset": "data", "split": "asked", "relevant": "labels", "labels": "asked"},
        "answered": {"dataset": "data", "split": "train", "relevant": "answers", "metrics": ["success@20"]},
        "asked": {"dataset": "data", "split": "asked", "depth": 100},
        "made": {"dataset": "written", "split": "made", "depth": 100},
        "made-again": {"dataset": "written", "split": "made", "depth": 50},
    },
    "averages": {"mean": {"testsets": ["dev", "judged"]}, "means": {"testsets": ["mean", "labelled"]}},
    "bm25_variants": {"tuned": {"k1": 0.82, "b": 0.68}},
    "external_runs": {"splade": {"files": {"dev": "own/splade.trec", "judged": "own/splade.trec"}}},
    "reranked": {
        "again": {"retriever": "encoder/human", "reranker": "cross/useful", "depth": 50},
        "by-list": {"retriever": "encoder/human", "annotator": "list", "depth": 50},
        "by-point": {"retriever": "bm25/bm25", "annotator": "point", "depth": 50},
        "by-served": {"retriever": "reranked/by-point", "annotator": "served", "depth": 20},
    },
    "selected": {
        "sure": {"retriever": "reranked/again", "labels": "asked"},
        "chosen": {"retriever": "bm25/bm25", "annotator": "list"},
        "chosen-by-point": {"retriever": "bm25/bm25", "annotator": "point", "depth": 10},
        "chosen-by-served": {"retriever": "selected/sure", "annotator": "served", "stage": "relsel"},
    },
    "qa": {
        "task": {
            "testset": "answered",
            "metrics": ["em", "bert-score"],
            "bert_score": {"model": "bert", "layer": 2},
        },
        "plain": {"testset": "dev", "style": "sentence"},
    },
    "tables": {
        "retrieval": {
            "title": "Retrieval",
            "backbones": ["encoder"],
            "groups": [{"trainings": ["untrained", "human", "refined"]}],
            "testsets": ["dev", "means"],
            "published": "2",
            "verdict": "refined",
        },
        "answers": {
            "title": "Answers",
            "backbones": ["encoder"],
            "groups": [{"rows": {"ours": "human"}}],
            "qa": ["task"],
            "generators": ["list"],
        },
    },
    "label_tables": {"sets": {"title": "Sets", "labels": ["useful", "ranked", "gained"]}},
    "cost_tables": {
        "costs": {"title": "Costs", "backbone": "encoder", "trainings": ["human", "useful"], "testset": "dev"}
    },
    "line_charts": {
        "shares": {
            "title": "Shares",
            "x_label": "share",
            "backbone": "encoder",
            "testset": "dev",
            "metric": "mrr@10",
            "series": [{"name": "human", "points": {20: "refined", 100: "human"}}],
            "levels": ["untrained"],
        }
    },
    "label_charts": {"numbers": {"title": "Numbers", "labels": ["useful", "human"]}},
}


def changed(**values: Any) -> Configuration:
    """The configuration with values at some places; ``__`` parts the keys of a place: ``bm25__k1=0.8``."""
    return at_places({place.replace("__", "/"): value for place, value in values.items()})


def at_places(values: dict[str, Any]) -> Configuration:
    """The same for places such as ``labels/useful/top_percent``; numbers are places in a list."""
    raw = copy.deepcopy(RAW)
    for place, value in values.items():
        *parents, key = place.split("/")
        section: Any = raw
        for parent in parents:
            section = section[int(parent)] if isinstance(section, list) else section.setdefault(parent, {})
        section[int(key) if isinstance(section, list) else key] = value
    return load(raw)


WHOLE = load(RAW)
