"""The transformers engine, for real, on a tiny model: right numbers in any batch, and no prompt fails another."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from utility_annotation.common.errors import InputError
from utility_annotation.engines.chat_tokens import Tokenised
from utility_annotation.engines.protocol import (
    Completion,
    Continuation,
    Failure,
    LogLikelihood,
    Message,
    ReplyRequest,
    TooLong,
)
from utility_annotation.engines.transformers_engine import TransformersEngine, _samplers
from utility_annotation.io import models
from utility_annotation.settings import Annotator, EnginePerformance, Model, Performance, Sampling


def chat(text: str) -> tuple[Message, ...]:
    return (Message("user", text),)


CHATS = [chat("word " * count) for count in (3, 90, 40, 1, 60)]
CONTINUATIONS = [
    Continuation(chat("word " * count), text)
    for count, text in ((5, "Paris"), (80, "a much longer answer, of several tokens"), (30, "é 東京"), (1, " x"))
]


def asked(chats, sampling: Sampling) -> list[ReplyRequest]:
    return [ReplyRequest(chat, sampling) for chat in chats]


def collected(results) -> list:
    return [result for _, result in sorted(results, key=lambda pair: pair[0])]


def reference_log_likelihood(engine: TransformersEngine, request: Continuation) -> tuple[float, int]:
    """One sequence, no padding, every logit: the definition itself."""
    messages = [{"role": message.role, "content": message.content} for message in request.context]
    context = engine.tokens.tokenizer.apply_chat_template(messages, add_generation_prompt=True, return_dict=True)[
        "input_ids"
    ]
    text = engine.tokens.tokenizer(request.text, add_special_tokens=False)["input_ids"]
    with torch.inference_mode():
        log_probabilities = engine.model(torch.tensor([context + text])).logits[0].log_softmax(dim=-1)
    places = range(len(context) - 1, len(context) + len(text) - 1)
    return sum(float(log_probabilities[place, token]) for place, token in zip(places, text, strict=True)), len(text)


def test_log_likelihood_equals_its_definition_in_every_batch(engine: TransformersEngine) -> None:
    for request, result in zip(CONTINUATIONS, collected(engine.log_likelihood(CONTINUATIONS)), strict=True):
        total, tokens = reference_log_likelihood(engine, request)
        assert result.tokens == tokens
        assert result.total == pytest.approx(total, abs=1e-3)


def test_probabilities_of_all_next_tokens_sum_to_one(engine: TransformersEngine) -> None:
    """Catches an off-by-one position: only the last context token's logits predict the first token of the text."""
    vocabulary = [engine.tokens.tokenizer.decode([token]) for token in range(300, 320)]
    single = [
        text for text in vocabulary if len(engine.tokens.tokenizer(text, add_special_tokens=False)["input_ids"]) == 1
    ]
    scores = collected(engine.log_likelihood([Continuation(chat("hello"), text) for text in single]))
    ids = engine.tokens.tokenizer.apply_chat_template(
        [{"role": "user", "content": "hello"}], add_generation_prompt=True, return_dict=True
    )["input_ids"]
    with torch.inference_mode():
        following = engine.model(torch.tensor([ids])).logits[0, -1].log_softmax(dim=-1)
    expected = [
        float(following[engine.tokens.tokenizer(text, add_special_tokens=False)["input_ids"][0]]) for text in single
    ]
    assert [score.total for score in scores] == pytest.approx(expected, abs=1e-3)


def test_greedy_replies_do_not_depend_on_the_batch(engine: TransformersEngine) -> None:
    sampling = Sampling(max_new_tokens=6)
    together = collected(engine.generate(asked(CHATS, sampling)))
    alone = [collected(engine.generate(asked([one], sampling)))[0] for one in CHATS]
    assert together == alone


def test_greedy_reply_is_the_most_likely_token_each_time(engine: TransformersEngine) -> None:
    ((_, completion),) = engine.generate(asked([chat("hello")], Sampling(max_new_tokens=3)))
    ids = engine.tokens.tokenizer.apply_chat_template(
        [{"role": "user", "content": "hello"}], add_generation_prompt=True, return_dict=True
    )["input_ids"]
    start = len(ids)
    with torch.inference_mode():
        for _ in range(3):
            ids.append(int(engine.model(torch.tensor([ids])).logits[0, -1].argmax()))
    assert completion == Completion(engine.tokens.tokenizer.decode(ids[start:]), "length", start, 3)


def test_sampled_reply_depends_on_its_seed_and_prompt_alone(engine: TransformersEngine) -> None:
    sampling = Sampling(temperature=1.5, top_k=50, top_p=0.95, max_new_tokens=6, seed=1)
    together = collected(engine.generate(asked(CHATS, sampling)))
    alone = [collected(engine.generate(asked([one], sampling)))[0] for one in CHATS]
    other = collected(engine.generate(asked(CHATS, sampling.model_copy(update={"seed": 2}))))
    assert together == alone
    assert [completion.text for completion in other] != [completion.text for completion in together]


def test_sampled_tokens_follow_the_warped_distribution() -> None:
    """Frequencies over many rows, each with a stream of its own, against the renormalised top-k probabilities."""
    rows = 4000
    logits = torch.tensor([2.0, 1.0, 0.0, -1.0]).repeat(rows, 1)
    sampling = Sampling(temperature=2, top_k=3)
    drawn = _samplers(sampling, [[row] for row in range(rows)], torch.device("cpu"))(torch.zeros(rows, 1), logits)
    frequencies = drawn.argmax(dim=1).bincount(minlength=4) / rows
    expected = torch.tensor([1.0, 0.5, 0.0, -torch.inf]).softmax(dim=0)
    assert frequencies.tolist() == pytest.approx(expected.tolist(), abs=0.04)


def test_prompt_beyond_the_model_s_context_is_a_failure_of_its_own(engine: TransformersEngine) -> None:
    results = collected(engine.generate(asked([chat("word"), chat("word " * 2000)], Sampling(max_new_tokens=2))))
    assert isinstance(results[0], Completion)
    assert isinstance(results[1], TooLong)
    assert "room for 1022" in results[1].reason
    assert 0.5 < results[1].share < 0.51


def test_text_without_a_token_is_a_failure_of_its_own(engine: TransformersEngine) -> None:
    results = collected(engine.log_likelihood([Continuation(chat("word"), ""), Continuation(chat("word"), "a")]))
    assert isinstance(results[0], Failure)
    assert isinstance(results[1], LogLikelihood)


def test_prompt_that_alone_exhausts_memory_is_an_outcome_and_the_rest_go_on(
    tiny_model: Path, annotator: Annotator
) -> None:
    """A real allocation failure: from 200 tokens on, the model asks for more memory than any machine has."""
    performance = Performance(annotate=EnginePerformance(batch_tokens=600, device="cpu"))
    engine = TransformersEngine(tiny_model, annotator, performance)

    def exhaust(module: torch.nn.Module, arguments: tuple[torch.Tensor]) -> None:
        if arguments[0].shape[1] > 200:
            torch.empty(2**60, dtype=torch.uint8)

    engine.model.get_input_embeddings().register_forward_pre_hook(exhaust)
    chats = [chat("word " * n) for n in (5, 250, 20, 150)]
    scored = collected(engine.log_likelihood([Continuation(one, "a") for one in chats]))
    assert [type(result) for result in scored] == [LogLikelihood, Failure, LogLikelihood, LogLikelihood]
    replies = collected(engine.generate(asked(chats, Sampling(max_new_tokens=2))))
    assert [type(result) for result in replies] == [Completion, Failure, Completion, Completion]


def test_log_likelihood_that_is_no_number_is_a_failure(tiny_model: Path, annotator: Annotator) -> None:
    engine = TransformersEngine(tiny_model, annotator, Performance())
    with torch.no_grad():
        engine.model.get_output_embeddings().weight.fill_(float("nan"))
    ((_, result),) = engine.log_likelihood([Continuation(chat("word"), "a")])
    assert isinstance(result, Failure)


def test_batches_keep_the_token_budget_and_hold_every_prompt_once(engine: TransformersEngine) -> None:
    sequences = [[0] * length for length in (5, 300, 120, 7, 900, 1, 60)]
    requests = [Tokenised(index, None, ids, len(ids)) for index, ids in enumerate(sequences)]
    batches = list(engine._batches(requests, room=10))
    assert sorted(asked.index for batch in batches for asked in batch) == list(range(7))
    for batch in batches:
        longest = max(len(asked.ids) for asked in batch)
        assert len(batch) == 1 or len(batch) * (longest + 10) <= 600


def test_special_tokens_are_the_tokenizer_s_own(engine: TransformersEngine) -> None:
    assert {"<|im_start|>", "<|im_end|>", "<|endoftext|>"} <= engine.special_tokens


def test_precision_and_thinking_belong_to_the_identity(tiny_model: Path, annotator: Annotator) -> None:
    variants = [
        annotator,
        *(annotator.model_copy(update=change) for change in ({"thinking": True}, {"precision": "bf16"})),
    ]
    assert len({TransformersEngine(tiny_model, variant, Performance()).fingerprint for variant in variants}) == 3


def test_model_without_a_chat_template_is_refused_by_name(
    tiny_model: Path, annotator: Annotator, tmp_path: Path
) -> None:
    source = tmp_path / "source"
    models.prepare(Model(path=str(tiny_model)), source)
    (source / "chat_template.jinja").unlink()
    with pytest.raises(InputError, match=rf"{source}: .*no chat template.*annotators\.\*\.model"):
        TransformersEngine(source, annotator, Performance())
