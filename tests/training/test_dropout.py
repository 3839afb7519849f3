"""Dropout masks per text."""

from __future__ import annotations

import threading

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import dropout, scaled_dot_product_attention
from torch.utils.checkpoint import checkpoint

from utility_annotation.common.errors import InputError
from utility_annotation.training.dropout import TextDropout, same_masks, text_seeds

TEXTS = range(6)


def masks(texts, *shapes: tuple[int, ...], seed: int = 1, step: int = 1, p: float = 0.5) -> list[torch.Tensor]:
    """What successive dropouts make of ones."""
    with TextDropout(text_seeds(seed, step, texts)):
        return [dropout(torch.ones(len(texts), *shape), p) for shape in shapes]


@given(
    texts=st.lists(st.integers(0, 5), min_size=1, max_size=4),
    shape=st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 9)),
)
def test_a_text_keeps_its_mask_beside_other_texts_and_other_padding(texts, shape):
    (whole,) = masks(TEXTS, (3, 7, 9))
    (part,) = masks(texts, shape)
    heads, rows, columns = shape
    assert torch.equal(part, whole[texts, :heads, :rows, :columns])


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
def test_elements_are_dropped_with_the_probability_asked(p):
    (output,) = masks(TEXTS, (200, 768), p=p)
    assert (output == 0).double().mean().item() == pytest.approx(p, abs=4 * (p * (1 - p) / output.numel()) ** 0.5)
    assert output.max().item() == pytest.approx(1 / (1 - p), rel=1e-4)


def test_texts_steps_seeds_and_dropouts_have_masks_of_their_own():
    shape = (64, 64)
    several = [
        *masks(TEXTS, shape, shape),
        *masks(TEXTS, shape, step=2),
        *masks(TEXTS, shape, seed=2),
    ]
    rows = torch.cat([mask.flatten(1) for mask in several])
    correlations = torch.corrcoef(rows) - torch.eye(len(rows))
    assert correlations.abs().max() < 5 / 64


def test_neighbouring_elements_are_independent():
    (output,) = masks(TEXTS, (12, 128, 128))
    for dimension in (1, 2, 3):
        for lag in (1, 4):
            before, after = (
                output.narrow(dimension, start, output.shape[dimension] - lag).flatten() for start in (0, lag)
            )
            correlation = torch.corrcoef(torch.stack([before, after]))[0, 1]
            assert correlation.abs() < 5 / before.numel() ** 0.5


def test_a_whole_gradient_passes_the_kept_elements():
    ones = torch.ones(6, 8, requires_grad=True)
    with TextDropout(text_seeds(1, 1, TEXTS)):
        output = dropout(ones, 0.5)
    output.sum().backward()
    assert torch.equal(ones.grad, output.detach())
    assert set(output.unique().tolist()) == {0.0, 2.0}


def test_a_layer_that_is_computed_again_has_the_masks_of_its_pass_in_any_thread():
    """On a GPU the backward pass has a thread of its own."""
    ones = torch.ones(6, 8, requires_grad=True)
    with TextDropout(text_seeds(1, 1, TEXTS)):
        dropout(ones, 0.5)
        output = checkpoint(lambda x: dropout(x, 0.5) ** 2, ones, use_reentrant=False, context_fn=same_masks)
        dropout(ones, 0.5)
    backward = threading.Thread(target=output.sum().backward)
    backward.start()
    backward.join()
    assert set(output.unique().tolist()) == {0.0, 4.0}
    assert torch.equal(ones.grad, 2 * output)


def test_rows_that_are_no_texts_are_refused():
    """One row alone is for all texts, such as a table of positions."""
    masks = TextDropout(text_seeds(1, 1, range(2)))
    with masks, pytest.raises(InputError, match=r"6 rows of 2 texts.*Fix: set `trainings\.\*\.lora\.dropout` to 0"):
        dropout(torch.ones(6, 8), 0.5)
    with masks:
        assert dropout(torch.ones(1, 8), 0.5).shape == (2, 8)


def test_evaluation_mode_and_no_probability_drop_nothing():
    ones = torch.ones(2, 3, 4)
    with TextDropout(text_seeds(1, 1, range(2))):
        assert torch.equal(dropout(ones, 0.5, False), ones)
        assert torch.equal(dropout(ones, 0.0), ones)


def test_fused_attention_with_dropout_is_refused():
    query = torch.ones(2, 1, 3, 4)
    with TextDropout(text_seeds(1, 1, range(2))), pytest.raises(InputError, match=r"config\.json"):
        scaled_dot_product_attention(query, query, query, dropout_p=0.1)


def test_a_probability_of_one_drops_everything():
    (output,) = masks(TEXTS, (3, 4), p=1.0)
    assert not output.any()
