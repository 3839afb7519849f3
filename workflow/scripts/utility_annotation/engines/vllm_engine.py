"""The engine that runs a model with vLLM: on one GPU, on several, or on a CPU with the CPU build.

Prompts and replies are token ids, so that roles, special tokens and text mean the same as with every other engine.
Prefix caching is on: the common beginning of a shard's prompts is computed once. Requests for likelihoods cannot use
that cache, since a cached position has no logits. Pointwise prompts share only their first words, so little is lost.

A single request can exhaust the memory that vLLM has not reserved (above all the logits of a long text to score). Then
vLLM's engine process dies with all its requests. It is started again, and the guilty request is found and given up.
"""

from __future__ import annotations

import atexit
import logging
import multiprocessing
import os
import sys
from collections.abc import Generator, Iterator, Sequence
from itertools import count, islice
from multiprocessing import connection
from pathlib import Path
from threading import Thread
from typing import Any

from ..common.devices import gpu_fault, old_driver
from ..common.errors import InputError
from ..settings import Annotator, Performance
from .chat_tokens import ChatTokenizer, Tokenised, annotator_fingerprint, sampling_seed
from .protocol import Completion, Continuation, Failure, LogLikelihood, ReplyRequest, scored
from .watchdog import end_with_this_process

logger = logging.getLogger(__name__)

_PRECISIONS = {"fp32": "float32", "bf16": "bfloat16", "fp16": "float16"}
_AHEAD = 2048
"""Requests queued in vLLM at a time: more than it runs at once, so that it never waits for work."""
_CHUNK = 64
"""Requests that are tokenised and queued between two of vLLM's steps."""
_SECONDS_TO_END = 10.0
_MAX_CRASHES = 5
"""Engine crashes in a row before giving up."""


class VllmEngine:
    """Keeps vLLM's queue full, and hands each result over in the step that finishes it.

    Args:
        folder: a prepared model folder; its configuration tells vLLM whether it is quantised.
        annotator: its ``precision``, ``thinking`` and ``max_model_len``.
        performance: number of GPUs, share of their memory, threads on a CPU.

    Raises:
        InputError: vLLM or the GPU that it is built for is missing, vLLM cannot run the model, or its tokenizer cannot
            serve chats.
    """

    def __init__(self, folder: Path | str, annotator: Annotator, performance: Performance) -> None:
        self.folder, self.annotator, self.performance = folder, annotator, performance
        self.fingerprint = annotator_fingerprint(folder, annotator)
        self.tokens = ChatTokenizer(folder, annotator)
        self.special_tokens = self.tokens.special_tokens
        self.platform = _platform()
        if self.platform.is_cpu():
            os.environ["OMP_NUM_THREADS"] = str(performance.threads)
            os.environ.setdefault("VLLM_CPU_OMP_THREADS_BIND", "nobind")
            os.environ.setdefault("VLLM_CPU_KVCACHE_SPACE", "1")  # GiB; the default is nearly all memory
        os.environ["VLLM_ENABLE_V1_MULTIPROCESSING"] = "1"  # an engine in its own process crashes alone
        end_with_this_process()
        self.names = map(str, count())
        self.crashes = 0
        self._start()
        atexit.register(self._end)

    def _start(self) -> None:
        from vllm import LLM
        from vllm.exceptions import VLLMError

        try:
            self.llm = LLM(
                model=str(self.folder),
                trust_remote_code=False,
                dtype=_PRECISIONS[self.annotator.precision],
                max_model_len=self.tokens.max_tokens,
                tensor_parallel_size=max(self.performance.annotate.gpus, 1),
                gpu_memory_utilization=self.performance.annotate.memory_fraction,
                enable_prefix_caching=True,
                enforce_eager=self.platform.is_cpu(),
                generation_config="vllm",  # ignore the folder's own penalties and sampling
                seed=0,
            )
        except (VLLMError, ValueError, RuntimeError) as error:
            raise InputError(
                f"vLLM cannot run this model here ({error}).",
                hint=_another_driver()
                or "read vLLM's messages above; if memory is short, raise `performance.annotate.gpus` (`gpus_of` for "
                "one annotator), lower `annotators.*.max_model_len`, or change `performance.annotate.memory_fraction`.",
                path=self.folder,
            ) from None
        self._notice_a_killed_engine()

    def _end(self) -> None:
        """End vLLM's engine and the thread that receives its results; freeing a tensor during exit is an abort."""
        client = _client(self.llm)
        client.shutdown()
        client.output_queue_thread.join(_SECONDS_TO_END)

    def _start_again(self) -> None:
        """Start the engine again after a crash.

        Raises:
            InputError: it has crashed too often, or does not start.
        """
        self.crashes += 1
        if self.crashes == _MAX_CRASHES:
            raise InputError(
                f"vLLM's engine crashed {_MAX_CRASHES} times in a row, with nothing finished in between; see "
                "its messages above.",
                hint="fix the cause and run again: finished requests are stored. If memory is short, lower "
                "`performance.annotate.memory_fraction` or `annotators.*.max_model_len`.",
            )
        logger.warning("vLLM's engine crashed (its messages above give the cause); starting it again")
        self._end()
        self._start()

    def generate(self, requests: Sequence[ReplyRequest]) -> Iterator[tuple[int, Completion | Failure]]:
        """See :class:`~.protocol.Engine`. A sampled reply depends on the seed and its own prompt, not on the others."""
        return self._serve(requests)

    def log_likelihood(self, requests: Sequence[Continuation]) -> Iterator[tuple[int, LogLikelihood | Failure]]:
        """See :class:`~.protocol.Engine`."""
        return self._serve(requests)

    def _parameters(self, asked: Tokenised) -> dict[str, Any]:
        """Keyword arguments of vLLM's SamplingParams."""
        from vllm.sampling_params import StructuredOutputsParams

        if isinstance(asked.request, Continuation):
            return {"temperature": 0, "max_tokens": 1, "prompt_logprobs": 0, "flat_logprobs": True}
        sampling, guide = asked.request.sampling, asked.request.guide
        return {
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
            "seed": sampling_seed(sampling.seed, asked.ids),
            "max_tokens": sampling.max_new_tokens,
            "stop_token_ids": self.tokens.stop_ids,
            "structured_outputs": guide and StructuredOutputsParams(regex=guide),
        }

    def _result(self, asked: Tokenised, output: Any) -> Any:
        reason = output.outputs[0].finish_reason
        if reason not in ("stop", "length"):
            return Failure(f"vLLM ended it: {reason}")
        if isinstance(asked.request, ReplyRequest):
            return self.tokens.completion(asked.ids, output.outputs[0].token_ids)
        places = range(asked.context, len(asked.ids))
        total = sum(output.prompt_logprobs[place][asked.ids[place]].logprob for place in places)
        return scored(total, len(places), asked.context)

    def _serve(self, requests: Sequence[ReplyRequest] | Sequence[Continuation]) -> Iterator[tuple[int, Any]]:
        asked = self.tokens.tokenised(requests, _CHUNK, generated=1)
        while lost := (yield from self._supply(asked)):
            self._start_again()
            yield from self._serve_suspects(lost)

    def _serve_suspects(self, suspects: list[Tokenised]) -> Iterator[tuple[int, Any]]:
        """Serve the requests that an engine held when it crashed: the longest alone, then two, four, and so on.

        This finds the guilty request after few crashes; a start takes longer than many requests. A request is given up
        after it has crashed the engine alone.
        """
        suspects = sorted(suspects, key=lambda request: -len(request.ids))
        together = 1
        while suspects:
            tried, suspects = suspects[:together], suspects[together:]
            lost = yield from self._supply(iter(tried))
            if lost:
                self._start_again()
            if lost and len(tried) == 1:
                reason = "vLLM's engine crashes on this request alone, most often for lack of memory"
                yield tried[0].index, Failure(reason)
            else:
                suspects = lost + suspects
            together = 1 if lost else 2 * together

    def _supply(
        self, asked: Iterator[Tokenised | tuple[int, Failure]]
    ) -> Generator[tuple[int, Any], None, list[Tokenised]]:
        """Keep vLLM's queue full; returns the requests that a crashed engine held, or nothing if all were served."""
        from vllm import SamplingParams
        from vllm.exceptions import VLLMClientError
        from vllm.inputs import tokens_input
        from vllm.sampling_params import RequestOutputKind
        from vllm.v1.engine.exceptions import EngineDeadError

        vllm = self.llm.llm_engine
        running: dict[str, Tokenised] = {}
        try:
            while True:
                exhausted = True
                for request in islice(asked, min(_CHUNK, _AHEAD - len(running))):
                    exhausted = False
                    if isinstance(request, tuple):
                        yield request
                        continue
                    name = next(self.names)
                    running[name] = request
                    try:
                        parameters = SamplingParams(
                            detokenize=False, output_kind=RequestOutputKind.FINAL_ONLY, **self._parameters(request)
                        )
                        vllm.add_request(name, tokens_input(request.ids), parameters)
                    except (VLLMClientError, ValueError) as error:
                        del running[name]
                        yield request.index, Failure(f"vLLM refuses the request: {error}")
                if exhausted and not running:
                    return []
                for output in vllm.step() if running else ():
                    request = running.pop(output.request_id)
                    self.crashes = 0
                    yield request.index, self._result(request, output)
        except EngineDeadError:
            lost = list(running.values())
            running.clear()
            return lost
        finally:
            vllm.abort_request(list(running))

    def _notice_a_killed_engine(self) -> None:
        """Wake up vLLM's ``step``, which waits for ever if the kernel kills the engine's process."""
        from vllm.v1.engine.exceptions import EngineDeadError

        processes = [process.sentinel for process in multiprocessing.active_children()]
        outputs = _client(self.llm).outputs_queue

        def watch() -> None:
            connection.wait(processes)
            outputs.put(EngineDeadError())

        Thread(target=watch, daemon=True).start()


def _client(llm: Any) -> Any:
    """vLLM's client of its engine process.

    Two of its attributes are private in vLLM 0.32.0, where nothing public serves: ``LLMEngine.step`` blocks in
    ``outputs_queue.get()`` and takes no timeout, and vLLM's own monitor of a dead process puts nothing into that queue;
    ``shutdown`` does not wait for ``output_queue_thread``. tests/engines/test_vllm_engine.py tells when they change.
    """
    return llm.llm_engine.engine_core


def _another_driver() -> str | None:
    """The hint where the driver is too old for vLLM: another torch, as elsewhere, would not fit this vLLM."""
    found = old_driver()
    return found and f"{found}; or run vLLM elsewhere and set the annotator's `engine` to openai."


def _platform() -> Any:
    """vLLM's platform, after checking that vLLM can be imported and has one."""
    os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
    try:
        import vllm.entrypoints.llm  # noqa: F401
        from vllm.platforms import current_platform
    except ImportError as error:
        raise InputError(
            f"the interpreter {sys.executable} has no working vLLM ({error}).",
            hint="let Snakemake install it for these jobs (`snakemake --software-deployment-method conda …`), or name "
            "in `performance.annotate.python` the interpreter of an environment made from envs/vllm.txt; without a "
            "GPU, set the annotator's `engine` to transformers or openai.",
        ) from None
    if current_platform.is_unspecified():
        fault = gpu_fault()
        raise InputError(
            f"vLLM is built for a GPU and finds none{f': {fault.problem}' if fault else ''}.",
            hint=_another_driver()
            or f"{fault.hint if fault else 'run where there is one'}; or set the annotator's `engine` to "
            "transformers; or name an interpreter with vllm-cpu in `performance.annotate.python`.",
        )
    return current_platform
