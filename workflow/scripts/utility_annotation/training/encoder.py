"""The text encoder that training, encoding and search share: one tower for queries and passages.

Interface::

    encoder = Encoder.load(folder, backbone)           # a torch.nn.Module, fp32, in evaluation mode
    ids = encoder.token_ids(texts, "passage")          # list of unpadded id lists: prefix, truncation, special tokens
    for rows in length_batches(map(len, ids), 16384):  # indices of texts of similar length, the longest first
        input_ids, attention_mask = encoder.pad([ids[row] for row in rows])
        vectors = encoder(input_ids.to(device), attention_mask.to(device))   # (n, encoder.dimension) fp32
    encoder.save(folder)                               # transformers and sentence-transformers load it unchanged
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Literal

from ..common.errors import InputError
from ..common.files import atomic_write, write_json
from ..common.importing import large_packages
from ..settings import Backbone, entry
from . import own_settings
from .loading import check_folder, check_positions, check_vocabulary, load_parts
from .pooling import POOLINGS
from .tokens import prepare_tokenizer

with large_packages():
    import torch
    from transformers import AutoModel, PreTrainedModel, PreTrainedTokenizerBase

Kind = Literal["query", "passage"]


class Encoder(torch.nn.Module):
    """A transformer, its tokenizer, and how a text becomes a vector (prefix, length, pooling, normalisation)."""

    def __init__(self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, backbone: Backbone) -> None:
        super().__init__()
        self.model, self.tokenizer, self.backbone = model, tokenizer, backbone
        self.head: tuple[str, ...] = ()
        self.new_layers: tuple[str, ...] = ()
        self.pooling = entry(POOLINGS, backbone.pooling, "pooling")

    @classmethod
    def load(cls, folder: Path | str, backbone: Backbone) -> Encoder:
        """Load a Hugging Face model folder in fp32 and evaluation mode; no code from the folder is run.

        A pooler on top of the model (BERT's dense layer for next-sentence prediction) does not affect the vectors. It
        stays as it is; without weights in the folder it is dropped.

        Raises:
            InputError: the folder is no model folder, lacks weights of the encoder or tokens of the tokenizer, or has
                fewer positions than the backbone's lengths need; the model is no text encoder, or its kind or its own
                files contradict the backbone's settings.
        """
        check_folder(folder)
        own_settings.compare(Path(folder), backbone)
        model, tokenizer, lacking = load_parts(folder, AutoModel, "backbone")
        missing = sorted(key for key in lacking if not key.startswith("pooler."))
        if missing:
            raise InputError(
                f"the weights of {', '.join(missing[:3])}{' and others' if len(missing) > 3 else ''} are missing.",
                hint="give the folder of a whole encoder; these layers would otherwise be random.",
                path=folder,
            )
        prepare_tokenizer(tokenizer, backbone, folder)
        lengths = [key for key in ("query_length", "passage_length") if backbone.depends_on(key)]
        check_positions(model, {key: getattr(backbone, key) for key in lengths}, folder)
        if backbone.dimension and backbone.dimension > model.config.hidden_size:
            raise InputError(
                f"`backbones.*.dimension` is {backbone.dimension}, but the vectors of this model have "
                f"{model.config.hidden_size} components.",
                hint=f"set it to at most {model.config.hidden_size}, or leave it out.",
                path=folder,
            )
        _check_use(model.eval(), backbone, folder)
        check_vocabulary(model, tokenizer, folder)
        if getattr(model, "pooler", None) is not None:
            model.pooler.requires_grad_(False)
            if lacking:
                model.pooler = None
        return cls(model, tokenizer, backbone).eval()

    @property
    def dimension(self) -> int:
        """Components of a vector."""
        whole: int = self.model.config.hidden_size
        return self.backbone.dimension or whole

    def token_ids(self, texts: Sequence[str], kind: Kind) -> list[list[int]]:
        """Token ids of each text after its kind's prefix, cut to its kind's length, with special tokens."""
        query = kind == "query"
        prefix = self.backbone.query_prefix if query else self.backbone.passage_prefix
        if not texts:
            return []
        return self.tokenizer(
            [prefix + text for text in texts],
            truncation=True,
            max_length=self.backbone.query_length if query else self.backbone.passage_length,
            padding=False,
            return_attention_mask=False,
            return_token_type_ids=False,
        )["input_ids"]

    def pad(self, id_lists: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Right-padded ``input_ids`` and ``attention_mask``, both int64 of shape (n, longest), on the CPU."""
        longest = max(1, *map(len, id_lists))
        input_ids = torch.full((len(id_lists), longest), self.tokenizer.pad_token_id, dtype=torch.int64)
        attention_mask = torch.zeros_like(input_ids)
        for row, ids in enumerate(id_lists):
            input_ids[row, : len(ids)] = torch.tensor(ids, dtype=torch.int64)
            attention_mask[row, : len(ids)] = 1
        return input_ids, attention_mask

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Vectors of shape (n, dimension), fp32 at any precision of the transformer."""
        hidden = self.model(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state.float()
        vectors = self.pooling.function(hidden, attention_mask)[:, : self.dimension]
        return torch.nn.functional.normalize(vectors, dim=-1) if self.backbone.normalize else vectors

    def idle(self, device: torch.device) -> torch.Tensor:
        """Pass one token through the model; no vectors, of shape (0, dimension), on which no gradient rests."""
        token = torch.tensor([[self.tokenizer.pad_token_id]], device=device)
        vectors: torch.Tensor = self(token, torch.ones_like(token))
        return vectors[:0]

    def save(self, folder: Path | str) -> None:
        """Write a model folder (temporary name, then rename) that transformers and sentence-transformers load.

        sentence-transformers has one length for both kinds of text: the passage length. The prefixes become its
        prompts ``query``, ``passage`` and ``document``.
        """
        modules = {"": "Transformer", "1_Pooling": "Pooling"}
        if self.backbone.dimension:
            modules[own_settings.FIRST_COMPONENTS] = "Dense"
        if self.backbone.normalize:
            modules["2_Normalize"] = "Normalize"
        with atomic_write(folder) as temporary:
            self.model.save_pretrained(temporary, safe_serialization=True)
            self.tokenizer.save_pretrained(temporary)
            write_json(
                temporary / "modules.json",
                [
                    {"idx": index, "name": str(index), "path": path, "type": f"sentence_transformers.models.{name}"}
                    for index, (path, name) in enumerate(modules.items())
                ],
            )
            write_json(
                temporary / "sentence_bert_config.json",
                {"max_seq_length": self.backbone.passage_length, "do_lower_case": False},
            )
            write_json(
                temporary / "1_Pooling" / "config.json",
                {"word_embedding_dimension": self.model.config.hidden_size, **self.pooling.saved_as},
            )
            if self.backbone.dimension:
                own_settings.save_first_components(temporary, self.model.config.hidden_size, self.dimension)
            if self.backbone.normalize:
                write_json(temporary / "2_Normalize" / "config.json", {})
            write_json(
                temporary / "config_sentence_transformers.json",
                {
                    "prompts": {
                        "query": self.backbone.query_prefix,
                        "passage": self.backbone.passage_prefix,
                        "document": self.backbone.passage_prefix,
                    },
                    "default_prompt_name": None,
                    "similarity_fn_name": "cosine" if self.backbone.normalize else "dot",
                },
            )


def _check_use(model: PreTrainedModel, backbone: Backbone, folder: Path | str) -> None:
    """Check which tokens a token sees; let it see those after it if the backbone asks for that.

    ``config.is_causal`` is the switch of transformers from 5.2 on. It is saved with the model.
    """
    sees_on = _sees_on(model, folder)
    if backbone.attention == "bidirectional" and not sees_on:
        model.config.is_causal = False
        sees_on = _sees_on(model, folder)
        if not sees_on:
            raise InputError(
                f"in this model ({model.config.model_type}) no token can see the tokens after it.",
                hint="set `backbones.*.attention` to own, or take another model.",
                path=folder,
            )
    if POOLINGS[backbone.pooling].reads_on and not sees_on:
        others = [name for name, pooling in POOLINGS.items() if not pooling.reads_on]
        raise InputError(
            f"in this model ({model.config.model_type}) no token sees the tokens after it, so `backbones.*.pooling` "
            f"{backbone.pooling} would give every text the same vector.",
            hint=f"set `pooling` to {' or '.join(others)}.",
            path=folder,
        )


def _sees_on(model: PreTrainedModel, folder: Path | str) -> bool:
    """Encode two short texts that begin alike: a causal model gives their first tokens the same vector."""
    try:
        with torch.inference_mode():
            ids = torch.tensor([[1, 1, 1], [1, 2, 2]])
            first, other = model(input_ids=ids, attention_mask=torch.ones_like(ids)).last_hidden_state[:, 0].float()
        return not torch.allclose(first, other, rtol=1e-5, atol=1e-7)
    except Exception as error:
        raise InputError(
            f"this model ({model.config.model_type}) is no text encoder: it makes no vectors of tokens "
            f"({' '.join(str(error).split())}).",
            hint="set `backbones.*.model` to an encoder such as BERT.",
            path=folder,
        ) from None


def length_batches(lengths: Iterable[int], tokens: int) -> list[list[int]]:
    """Group texts of similar length, so that there is little padding.

    Args:
        lengths: the token count of each text.
        tokens: the most padded tokens per batch; a longer text is a batch of its own.

    Returns:
        Indices of the texts, each once; batches and their members from the longest text to the shortest, ties in the
        given order.
    """
    lengths = list(lengths)
    batches: list[list[int]] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if batches and (len(batches[-1]) + 1) * lengths[batches[-1][0]] <= tokens:
            batches[-1].append(index)
        else:
            batches.append([index])
    return batches
