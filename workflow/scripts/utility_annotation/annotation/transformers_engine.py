"""The engine that runs a model with Hugging Face transformers, on a CPU or one GPU."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from jinja2 import TemplateError
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)
from transformers.utils.logging import disable_progress_bar

from .. import models
from ..configuration import Annotator, Performance, Sampling
from ..errors import InputError
from .protocol import Chat, Completion, Continuation, Failure, LogLikelihood

logger = logging.getLogger(__name__)

_Outcome = TypeVar("_Outcome")
_PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class TransformersEngine:
    """Serves requests in batches of similar length, longest first.

    Args:
        folder: a prepared model folder.
        annotator: precision and thinking are read from it.
        performance: threads, device and padded tokens a batch.

    Raises:
        InputError: the folder was not prepared, or its tokenizer has no chat template.
    """

    def __init__(self, folder: Path | str, annotator: Annotator, performance: Performance) -> None:
        disable_progress_bar()
        torch.set_num_threads(performance.threads)
        device = performance.annotate.device
        self.device = torch.device(("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device)
        self.identity = (
            f"{models.identity(folder)}/{annotator.precision}/{'thinking' if annotator.thinking else 'plain'}"
        )
        self.folder, self.thinking = folder, annotator.thinking
        self.batch_tokens = performance.annotate.batch_tokens
        self.tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
        if not self.tokenizer.chat_template:
            raise InputError(
                "the tokenizer of this model has no chat template, so it is no annotator.",
                mend="set `annotators.*.model` to an instruction-tuned model, or add its chat_template.jinja.",
                path=folder,
            )
        model: Any = AutoModelForCausalLM.from_pretrained(
            folder, local_files_only=True, use_safetensors=True, dtype=_PRECISIONS[annotator.precision]
        )
        self.model = model.to(self.device)
        self.model.eval()
        self.stop_ids = self._stop_ids()
        self.model.generation_config = GenerationConfig()  # a folder's own penalties and sampling are not the user's
        self.max_tokens = min(self.tokenizer.model_max_length, self.model.config.max_position_embeddings)
        self.special_tokens = frozenset(
            token.content
            for token in self.tokenizer.added_tokens_decoder.values()
            if token.content.strip() and (token.special or token.content.startswith("<"))
        )
        logger.info("model %s on %s, %s", folder, self.device, annotator.precision)

    @torch.inference_mode()
    def generate(self, chats: Sequence[Chat], sampling: Sampling) -> Iterator[tuple[int, Completion | Failure]]:
        """See :class:`~.protocol.Engine`. A sampled reply depends on the seed and its own prompt, not on its batch."""
        prompts = self._token_ids(chats)
        limit = self.max_tokens - sampling.max_new_tokens
        yield from self._too_long(prompts, limit)
        for batch in self._batches(prompts, limit, room=sampling.max_new_tokens):
            yield from self._with_smaller_batches(batch, lambda batch: self._generate(batch, prompts, sampling))

    @torch.inference_mode()
    def log_likelihood(self, requests: Sequence[Continuation]) -> Iterator[tuple[int, LogLikelihood | Failure]]:
        """See :class:`~.protocol.Engine`.

        Context and continuation are tokenised apart, as they are when the model itself writes the continuation: the
        same text has the same tokens after every context.
        """
        contexts = self._token_ids([request.context for request in requests])
        texts = [request.text for request in requests]
        continuations = self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        sequences = [context + text for context, text in zip(contexts, continuations, strict=True)]
        scorable = []
        for index, text in enumerate(continuations):
            if text:
                scorable.append(index)
            else:
                yield index, Failure("an empty text has no log-likelihood")
        yield from self._too_long(sequences, self.max_tokens, scorable)
        lengths = [len(text) for text in continuations]
        for batch in self._batches(sequences, self.max_tokens, indices=scorable):
            yield from self._with_smaller_batches(batch, lambda batch: self._score(batch, sequences, lengths))

    def _generate(
        self, batch: list[int], prompts: list[list[int]], sampling: Sampling
    ) -> list[tuple[int, Completion | Failure]]:
        ids, mask = self._padded([prompts[index] for index in batch])
        config = GenerationConfig(
            max_new_tokens=sampling.max_new_tokens,
            do_sample=False,
            eos_token_id=self.stop_ids,
            pad_token_id=self.stop_ids[0],
        )
        processors = _samplers(sampling, [prompts[index] for index in batch], self.device)
        output = self.model.generate(
            input_ids=ids, attention_mask=mask, generation_config=config, logits_processor=processors
        )
        results: list[tuple[int, Completion | Failure]] = []
        for index, new in zip(batch, output[:, ids.shape[1] :].tolist(), strict=True):
            end = next((place for place, token in enumerate(new) if token in self.stop_ids), None)
            text = str(self.tokenizer.decode(new[:end], skip_special_tokens=False, clean_up_tokenization_spaces=False))
            tokens = len(new) if end is None else end + 1
            results.append((index, Completion(text, "length" if end is None else "stop", len(prompts[index]), tokens)))
        return results

    def _score(
        self, batch: list[int], sequences: list[list[int]], lengths: list[int]
    ) -> list[tuple[int, LogLikelihood | Failure]]:
        """Padding stands on the left, so the continuations end together and only the last logits are computed."""
        ids, mask = self._padded([sequences[index] for index in batch])
        longest = max(lengths[index] for index in batch)
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        logits = self.model(
            input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False, logits_to_keep=longest + 1
        ).logits
        results: list[tuple[int, LogLikelihood | Failure]] = []
        for row, index in enumerate(batch):
            count = lengths[index]
            predicted = logits[row, -count - 1 : -1].float()
            chosen = predicted.gather(1, ids[row, -count:, None])[:, 0]
            total = float((chosen - predicted.logsumexp(dim=1)).double().sum())
            if total == total and abs(total) != float("inf"):
                results.append((index, LogLikelihood(total, count, len(sequences[index]) - count)))
            else:
                results.append((index, Failure("the model's log-likelihood is not a finite number")))
        return results

    def _token_ids(self, chats: Sequence[Chat]) -> list[list[int]]:
        """Chats as token ids, up to where the assistant's next turn begins."""
        if not chats:
            return []
        try:
            texts = [
                self.tokenizer.apply_chat_template(
                    [{"role": message.role, "content": message.content} for message in chat],
                    tokenize=False,
                    add_generation_prompt=True,
                    enable_thinking=self.thinking,
                )
                for chat in chats
            ]
        except TemplateError as error:
            raise InputError(
                f"the model's chat template refuses the prompt ({error}).",
                mend="change the roles in the prompt template to those that this model knows.",
                path=self.folder,
            ) from None
        return self.tokenizer(texts, add_special_tokens=False)["input_ids"]

    def _too_long(
        self, sequences: list[list[int]], limit: int, indices: Sequence[int] | None = None
    ) -> Iterator[tuple[int, Failure]]:
        for index in range(len(sequences)) if indices is None else indices:
            if len(sequences[index]) > limit:
                yield index, Failure(f"{len(sequences[index])} prompt tokens, but the model has room for {limit}")

    def _batches(
        self, sequences: list[list[int]], limit: int, *, room: int = 0, indices: Sequence[int] | None = None
    ) -> Iterator[list[int]]:
        """Indices of sequences that fit, longest first; padded tokens, and ``room`` a row, keep to the budget."""
        candidates = range(len(sequences)) if indices is None else indices
        order = sorted((i for i in candidates if len(sequences[i]) <= limit), key=lambda i: -len(sequences[i]))
        batch: list[int] = []
        for index in order:
            longest = len(sequences[batch[0]]) if batch else 0
            if batch and (len(batch) + 1) * (longest + room) > self.batch_tokens:
                yield batch
                batch = []
            batch.append(index)
        if batch:
            yield batch

    def _with_smaller_batches(
        self, batch: list[int], run: Callable[[list[int]], list[tuple[int, _Outcome]]]
    ) -> Iterator[tuple[int, _Outcome | Failure]]:
        """Run a batch; where memory does not suffice, its halves, down to the one prompt that does not fit."""
        try:
            results = run(batch)
        except RuntimeError as error:
            if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
                raise
        else:
            yield from results
            return
        if len(batch) == 1:
            yield batch[0], Failure("out of memory on this prompt alone")
        else:
            logger.warning("out of memory on %d prompts, trying smaller batches", len(batch))
            half = len(batch) // 2
            yield from self._with_smaller_batches(batch[:half], run)
            yield from self._with_smaller_batches(batch[half:], run)

    def _padded(self, sequences: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids (rows, longest) padded on the left with any id, and the mask that hides it."""
        longest = max(map(len, sequences))
        ids = torch.full((len(sequences), longest), self.stop_ids[0])
        mask = torch.zeros_like(ids)
        for row, sequence in enumerate(sequences):
            ids[row, longest - len(sequence) :] = torch.tensor(sequence)
            mask[row, longest - len(sequence) :] = 1
        return ids.to(self.device), mask.to(self.device)

    def _stop_ids(self) -> list[int]:
        stated = self.model.generation_config.eos_token_id
        ids = {*(stated if isinstance(stated, list) else [stated]), self.tokenizer.eos_token_id} - {None}
        if not ids:
            raise InputError(
                "neither this model nor its tokenizer says which token ends a turn.",
                mend="state eos_token_id in its generation_config.json.",
                path=self.folder,
            )
        return sorted(ids)


def _samplers(sampling: Sampling, prompts: list[list[int]], device: torch.device) -> LogitsProcessorList:
    """Temperature, top-k, top-p and the draw itself; nothing for greedy decoding."""
    processors = LogitsProcessorList()
    if sampling.temperature == 0:
        return processors
    processors.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.top_k:
        processors.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        processors.append(TopPLogitsWarper(sampling.top_p))
    processors.append(_GumbelMax([_row_seed(sampling.seed, prompt) for prompt in prompts], device))
    return processors


def _row_seed(seed: int, prompt: list[int]) -> int:
    return int.from_bytes(hashlib.sha256(f"{seed} {prompt}".encode()).digest()[:7])


class _GumbelMax(LogitsProcessor):
    """Adds Gumbel noise, a stream of its own for each row: the argmax is then a draw from the softmax."""

    def __init__(self, seeds: list[int], device: torch.device) -> None:
        self.generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        noise = torch.stack(
            [torch.empty_like(row).exponential_(generator=g) for row, g in zip(scores, self.generators, strict=True)]
        )
        return scores - noise.log()
