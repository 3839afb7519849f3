"""The engine that runs a model with Hugging Face transformers, on a CPU or one GPU."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from ..common.devices import choose_device, use_threads
from ..common.importing import large_packages
from ..settings import Annotator, Performance, Sampling
from .chat_tokens import ChatTokenizer, Tokenised, annotator_fingerprint, sampling_seed
from .protocol import Completion, Continuation, Failure, LogLikelihood, ReplyRequest, scored

with large_packages():
    import torch
    from transformers import (
        AutoModelForCausalLM,
        GenerationConfig,
        LogitsProcessor,
        LogitsProcessorList,
        TemperatureLogitsWarper,
        TopKLogitsWarper,
        TopPLogitsWarper,
    )
    from transformers.utils.logging import disable_progress_bar

logger = logging.getLogger(__name__)

_Outcome = TypeVar("_Outcome")
_PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class TransformersEngine:
    """Serves requests in batches of similar length, longest first.

    Args:
        folder: a prepared model folder.
        annotator: its ``precision`` and ``thinking``.
        performance: threads, device and padded tokens per batch.

    Raises:
        InputError: the folder was not prepared, its tokenizer cannot serve chats, or the GPU asked for cannot be used.
    """

    def __init__(self, folder: Path | str, annotator: Annotator, performance: Performance) -> None:
        disable_progress_bar()
        use_threads(performance.threads)
        self.device = choose_device(performance.annotate.device, performance.annotate.gpus, "annotate")
        self.fingerprint = annotator_fingerprint(folder, annotator)
        self.batch_tokens = performance.annotate.batch_tokens
        self.tokens = ChatTokenizer(folder, annotator)
        self.special_tokens = self.tokens.special_tokens
        with large_packages():  # transformers imports the model's code here
            model: Any = AutoModelForCausalLM.from_pretrained(
                folder,
                local_files_only=True,
                trust_remote_code=False,
                use_safetensors=True,
                dtype=_PRECISIONS[annotator.precision],
            )
        self.model = model.to(self.device)
        self.model.eval()
        self.model.generation_config = GenerationConfig()  # ignore the folder's own penalties and sampling
        logger.info("model %s on %s, %s", folder, self.device, annotator.precision)

    @torch.inference_mode()
    def generate(self, requests: Sequence[ReplyRequest]) -> Iterator[tuple[int, Completion | Failure]]:
        """See :class:`~.protocol.Engine`. A sampled reply depends on the seed and its own prompt, not on its batch."""
        alike: dict[Sampling, list[Tokenised]] = {}
        for asked in self._tokenised(requests):
            if isinstance(asked, tuple):
                yield asked
            else:
                alike.setdefault(asked.request.sampling, []).append(asked)
        for sampling, group in alike.items():
            for batch in self._batches(group, room=sampling.max_new_tokens):
                yield from self._with_smaller_batches(batch, self._generate)

    @torch.inference_mode()
    def log_likelihood(self, requests: Sequence[Continuation]) -> Iterator[tuple[int, LogLikelihood | Failure]]:
        """See :class:`~.protocol.Engine`."""
        scorable: list[Tokenised] = []
        for asked in self._tokenised(requests):
            if isinstance(asked, tuple):
                yield asked
            else:
                scorable.append(asked)
        for batch in self._batches(scorable):
            yield from self._with_smaller_batches(batch, self._score)

    def _tokenised(self, requests: Sequence[Any]) -> Iterator[Tokenised | tuple[int, Failure]]:
        return self.tokens.tokenised(requests, max(len(requests), 1))

    def _generate(self, batch: list[Tokenised]) -> list[Completion]:
        stop_ids, sampling = self.tokens.stop_ids, batch[0].request.sampling
        ids, mask = self._padded(batch)
        config = GenerationConfig(
            max_new_tokens=sampling.max_new_tokens,
            do_sample=False,
            eos_token_id=stop_ids,
            pad_token_id=stop_ids[0],
        )
        processors = _samplers(sampling, [asked.ids for asked in batch], self.device)
        output = self.model.generate(
            input_ids=ids, attention_mask=mask, generation_config=config, logits_processor=processors
        )
        replies = output[:, ids.shape[1] :].tolist()
        return [self.tokens.completion(asked.ids, new) for asked, new in zip(batch, replies, strict=True)]

    def _score(self, batch: list[Tokenised]) -> list[LogLikelihood | Failure]:
        """Padding is on the left, so that continuations end together and only the last logits are computed."""
        ids, mask = self._padded(batch)
        counts = [len(asked.ids) - asked.context for asked in batch]
        positions = (mask.cumsum(dim=1) - 1).clamp(min=0)
        logits = self.model(
            input_ids=ids, attention_mask=mask, position_ids=positions, use_cache=False, logits_to_keep=max(counts) + 1
        ).logits
        results = []
        for row, (asked, count) in enumerate(zip(batch, counts, strict=True)):
            predicted = logits[row, -count - 1 : -1].float()
            chosen = predicted.gather(1, ids[row, -count:, None])[:, 0]
            total = float((chosen - predicted.logsumexp(dim=1)).double().sum())
            results.append(scored(total, count, asked.context))
        return results

    def _batches(self, requests: Sequence[Tokenised], *, room: int = 0) -> Iterator[list[Tokenised]]:
        """Batches, longest sequence first; padded tokens and ``room`` per row stay within the budget."""
        batch: list[Tokenised] = []
        for asked in sorted(requests, key=lambda asked: -len(asked.ids)):
            if batch and (len(batch) + 1) * (len(batch[0].ids) + room) > self.batch_tokens:
                yield batch
                batch = []
            batch.append(asked)
        if batch:
            yield batch

    def _with_smaller_batches(
        self, batch: list[Tokenised], run: Callable[[list[Tokenised]], Sequence[_Outcome]]
    ) -> Iterator[tuple[int, _Outcome | Failure]]:
        """Run a batch. If memory does not suffice, run its halves, down to the one prompt that does not fit."""
        try:
            results = run(batch)
        except RuntimeError as error:
            if not isinstance(error, torch.OutOfMemoryError) and "allocate memory" not in str(error):
                raise
        else:
            yield from zip((asked.index for asked in batch), results, strict=True)
            return
        if len(batch) == 1:
            yield batch[0].index, Failure("out of memory on this prompt alone")
        else:
            logger.warning("out of memory on %d prompts, trying smaller batches", len(batch))
            half = len(batch) // 2
            yield from self._with_smaller_batches(batch[:half], run)
            yield from self._with_smaller_batches(batch[half:], run)

    def _padded(self, batch: list[Tokenised]) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids (rows, longest) padded on the left with any id, and the mask that hides it."""
        longest = max(len(asked.ids) for asked in batch)
        ids = torch.full((len(batch), longest), self.tokens.stop_ids[0])
        mask = torch.zeros_like(ids)
        for row, asked in enumerate(batch):
            ids[row, longest - len(asked.ids) :] = torch.tensor(asked.ids)
            mask[row, longest - len(asked.ids) :] = 1
        return ids.to(self.device), mask.to(self.device)


def _samplers(sampling: Sampling, prompts: list[list[int]], device: torch.device) -> LogitsProcessorList:
    """Temperature, top-k, top-p and the random draw; nothing for greedy decoding."""
    processors = LogitsProcessorList()
    if sampling.temperature == 0:
        return processors
    processors.append(TemperatureLogitsWarper(sampling.temperature))
    if sampling.top_k:
        processors.append(TopKLogitsWarper(sampling.top_k))
    if sampling.top_p < 1:
        processors.append(TopPLogitsWarper(sampling.top_p))
    processors.append(_GumbelMax([sampling_seed(sampling.seed, prompt) for prompt in prompts], device))
    return processors


class _GumbelMax(LogitsProcessor):
    """Adds Gumbel noise, from a separate stream per row, so that the argmax is a draw from the softmax."""

    def __init__(self, seeds: list[int], device: torch.device) -> None:
        self.generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        noise = torch.stack(
            [torch.empty_like(row).exponential_(generator=g) for row, g in zip(scores, self.generators, strict=True)]
        )
        return scores - noise.log()
