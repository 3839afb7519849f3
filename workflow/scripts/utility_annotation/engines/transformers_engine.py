"""The engine that runs a model with Hugging Face transformers, on a CPU or one GPU."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from ..common.devices import choose_device, use_threads
from ..common.importing import large_packages
from ..settings import Annotator, Performance, Sampling
from .chat_tokens import ChatTokenizer, annotator_fingerprint, sampling_seed
from .protocol import Completion, Continuation, Failure, LogLikelihood, ReplyRequest

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
                folder, local_files_only=True, use_safetensors=True, dtype=_PRECISIONS[annotator.precision]
            )
        self.model = model.to(self.device)
        self.model.eval()
        self.model.generation_config = GenerationConfig()  # ignore the folder's own penalties and sampling
        logger.info("model %s on %s, %s", folder, self.device, annotator.precision)

    @torch.inference_mode()
    def generate(self, requests: Sequence[ReplyRequest]) -> Iterator[tuple[int, Completion | Failure]]:
        """See :class:`~.protocol.Engine`. A sampled reply depends on the seed and its own prompt, not on its batch."""
        prompts = self.tokens.prompts([request.chat for request in requests])
        failures = self.tokens.without_room(prompts, [request.sampling.max_new_tokens for request in requests])
        yield from failures.items()
        alike: dict[Sampling, list[int]] = {}
        for index, request in enumerate(requests):
            if index not in failures:
                alike.setdefault(request.sampling, []).append(index)
        for sampling, indices in alike.items():
            run = partial(self._generate, prompts=prompts, sampling=sampling)
            for batch in self._batches(prompts, indices, room=sampling.max_new_tokens):
                yield from self._with_smaller_batches(batch, run)

    @torch.inference_mode()
    def log_likelihood(self, requests: Sequence[Continuation]) -> Iterator[tuple[int, LogLikelihood | Failure]]:
        """See :class:`~.protocol.Engine`."""
        pairs = self.tokens.continuations(requests)
        failures = self.tokens.unscorable(pairs)
        yield from failures.items()
        sequences = [context + text for context, text in pairs]
        lengths = [len(text) for _, text in pairs]
        scorable = [index for index in range(len(pairs)) if index not in failures]
        for batch in self._batches(sequences, scorable):
            yield from self._with_smaller_batches(batch, partial(self._score, sequences=sequences, lengths=lengths))

    def _generate(
        self, batch: list[int], prompts: list[list[int]], sampling: Sampling
    ) -> list[tuple[int, Completion | Failure]]:
        stop_ids = self.tokens.stop_ids
        ids, mask = self._padded([prompts[index] for index in batch])
        config = GenerationConfig(
            max_new_tokens=sampling.max_new_tokens,
            do_sample=False,
            eos_token_id=stop_ids,
            pad_token_id=stop_ids[0],
        )
        processors = _samplers(sampling, [prompts[index] for index in batch], self.device)
        output = self.model.generate(
            input_ids=ids, attention_mask=mask, generation_config=config, logits_processor=processors
        )
        replies = output[:, ids.shape[1] :].tolist()
        return [(index, self.tokens.completion(prompts[index], new)) for index, new in zip(batch, replies, strict=True)]

    def _score(
        self, batch: list[int], sequences: list[list[int]], lengths: list[int]
    ) -> list[tuple[int, LogLikelihood | Failure]]:
        """Padding is on the left, so that continuations end together and only the last logits are computed."""
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

    def _batches(self, sequences: list[list[int]], indices: Sequence[int], *, room: int = 0) -> Iterator[list[int]]:
        """Batches of indices, longest sequence first; padded tokens and ``room`` per row stay within the budget."""
        order = sorted(indices, key=lambda index: -len(sequences[index]))
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
        """Run a batch. If memory does not suffice, run its halves, down to the one prompt that does not fit."""
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
        ids = torch.full((len(sequences), longest), self.tokens.stop_ids[0])
        mask = torch.zeros_like(ids)
        for row, sequence in enumerate(sequences):
            ids[row, longest - len(sequence) :] = torch.tensor(sequence)
            mask[row, longest - len(sequence) :] = 1
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
