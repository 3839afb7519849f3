"""The losses against a plain float64 reference, cases computed by hand, and their properties."""

from __future__ import annotations

import json
import math
import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from utility_annotation.common.errors import InputError
from utility_annotation.settings import Backbone, Training, TrainPerformance
from utility_annotation.training.losses import LOSSES, Loss, joint_lh, kl, lse_pair, single_lh, sum_marg_lh
from utility_annotation.training.trainer import Inputs, train

LISTWISE = ("bce", "listnet", "lambdaloss")
MULTIPLE = {"jointlh": joint_lh, "summarglh": sum_marg_lh, "lsepair": lse_pair}


def reference(name: str, scores: list[float], roles: str) -> float:
    """One query's loss, term by term; roles: a letter a passage, p positive, n negative, x neither."""
    plus = [s for s, role in zip(scores, roles, strict=True) if role == "p"]
    minus = [s for s, role in zip(scores, roles, strict=True) if role == "n"]
    total = sum(math.exp(s) for s in plus + minus)
    probability = [math.exp(s) / total for s in plus]
    if name == "jointlh":
        return -sum(math.log(p) for p in probability)
    if name == "lsepair":
        return math.log(1 + sum(math.exp(n - p) for n in minus for p in plus))
    return -math.log(sum(probability))


def masks(roles: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    return tuple(torch.tensor([[letter == role for letter in row] for row in roles]) for role in "pn")


@st.composite
def batches(draw, letters="pnx", at_most_one_positive=False):
    queries, passages = draw(st.integers(1, 4)), draw(st.integers(1, 7))
    roles = [draw(st.text(letters, min_size=passages, max_size=passages)) for _ in range(queries)]
    if at_most_one_positive:
        roles = [row.replace("p", "n").replace("n", "p", draw(st.integers(0, 1))) for row in roles]
    score = st.floats(-15, 15, width=32)
    scores = [draw(st.lists(score, min_size=passages, max_size=passages)) for _ in range(queries)]
    return scores, roles


def expected(name: str, scores: list[list[float]], roles: list[str]) -> float:
    terms = [reference(name, row, role) for row, role in zip(scores, roles, strict=True) if "p" in role]
    return sum(terms) / len(terms) if terms else 0.0


@pytest.mark.parametrize("name", MULTIPLE)
@given(batch=batches())
def test_equals_the_reference(name, batch):
    scores, roles = batch
    loss = LOSSES[name].function(torch.tensor(scores), *masks(roles))
    assert loss.item() == pytest.approx(expected(name, scores, roles), rel=1e-4, abs=1e-4)


def listwise_reference(name: str, scores: list[float], roles: str) -> float:
    """One query's loss by its definition, pair by pair for ``lambdaloss``."""
    drawn = [(score, role == "p") for score, role in zip(scores, roles, strict=True) if role != "x"]
    if name == "bce":
        return sum(math.log1p(math.exp(-score if positive else score)) for score, positive in drawn) / len(drawn)
    if name == "listnet":
        total, weight = (sum(math.exp(value) for value in values) for values in zip(*drawn, strict=True))
        return -sum(math.exp(positive) / weight * math.log(math.exp(score) / total) for score, positive in drawn)
    ranked = sorted(drawn, key=lambda each: -each[0])
    best = sum(1 / math.log2(1 + rank) for rank in range(1, sum(positive for _, positive in drawn) + 1))
    terms = []
    for i, (score, positive) in enumerate(ranked, 1):
        for j, (other, other_positive) in enumerate(ranked, 1):
            if positive and not other_positive:
                step = 1 / math.log2(1 + abs(i - j)) - 1 / math.log2(2 + abs(i - j))
                weight = (abs(1 / math.log2(1 + i) - 1 / math.log2(1 + j)) + 10 * step) / best
                terms.append(weight * math.log2(1 + math.exp(other - score)))
    return sum(terms) / max(len(terms), 1)


@pytest.mark.parametrize("name", LISTWISE)
@given(batch=batches())
def test_listwise_losses_equal_the_reference(name, batch):
    scores, roles = batch
    scores = [[score + place / 64 for place, score in enumerate(row)] for row in scores]
    if name == "lambdaloss":  # ranks are those of different scores
        scores = [[2.0 * sorted(row).index(score) + place / 64 for place, score in enumerate(row)] for row in scores]
    terms = [listwise_reference(name, row, role) for row, role in zip(scores, roles, strict=True) if "p" in role]
    loss = LOSSES[name].function(torch.tensor(scores, dtype=torch.float64), *masks(roles))
    assert loss.item() == pytest.approx(sum(terms) / max(len(terms), 1), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("grades", [(1.0, 1.0), (3.0, 1.0)], ids=["binary", "graded"])
@pytest.mark.parametrize(("name", "theirs"), [("listnet", "ListNetLoss"), ("lambdaloss", "LambdaLoss")])
def test_listwise_losses_are_those_of_sentence_transformers(name, theirs, grades):
    """Every query has two positives of six passages: theirs takes the mean over the pairs of the whole batch."""
    from sentence_transformers.cross_encoder import losses

    generator = torch.Generator().manual_seed(5)
    scores = 3 * torch.randn(4, 6, generator=generator)
    labels = torch.stack(
        [torch.tensor([*grades, 0, 0, 0, 0])[torch.randperm(6, generator=generator)] for _ in range(4)]
    )
    positives = labels > 0

    class Scored(torch.nn.Module):
        num_labels, device, given = 1, torch.device("cpu"), 0

        def preprocess(self, pairs, **_):
            self.given += len(pairs)
            return {"scores": scores.flatten()[self.given - len(pairs) : self.given].view(-1, 1)}

        def forward(self, tokens):
            return tokens

    loss = getattr(losses, theirs)(Scored())([["q"] * 4, [["d"] * 6] * 4], list(labels))
    assert LOSSES[name].function(scores, positives, ~positives, labels).item() == pytest.approx(loss.item(), rel=1e-5)


@pytest.mark.parametrize("name", [name for name, loss in LOSSES.items() if loss.graded])
@given(batch=batches())
def test_without_grades_every_positive_has_grade_one(name, batch):
    scores, (positives, negatives) = torch.tensor(batch[0]), masks(batch[1])
    loss = LOSSES[name].function
    assert torch.equal(loss(scores, positives, negatives), loss(scores, positives, negatives, positives.float()))


def test_a_passage_of_a_lower_grade_is_pushed_below_one_of_a_higher_grade():
    scores = torch.zeros(1, 2, requires_grad=True)
    positives = torch.tensor([[True, True]])
    LOSSES["lambdaloss"].function(scores, positives, ~positives, torch.tensor([[1.0, 3.0]])).backward()
    assert scores.grad[0, 0] > 0 > scores.grad[0, 1]


def test_the_pointwise_loss_is_torchs_binary_cross_entropy():
    scores, positives = torch.tensor([[1.5, -2.0, 0.3], [0.1, 4.0, -1.0]]), masks(["pnp", "npn"])[0]
    loss = torch.nn.functional.binary_cross_entropy_with_logits(scores, positives.float())
    assert LOSSES["bce"].function(scores, positives, ~positives).item() == pytest.approx(loss.item(), rel=1e-6)


@given(batch=batches(at_most_one_positive=True))
def test_single_positive_losses_equal_the_reference(batch):
    scores, roles = batch
    for name in ("singlelh", "first1lh", "rand1lh"):
        loss = LOSSES[name].function(torch.tensor(scores), *masks(roles))
        assert loss.item() == pytest.approx(expected(name, scores, roles), rel=1e-4, abs=1e-4)


def test_cases_computed_by_hand():
    # P = 2/8, 2/8, 4/8 for scores log 2, log 2, log 4
    scores = torch.tensor([[2.0, 2.0, 4.0]]).log()
    both, one = masks(["ppn"]), masks(["pxn"])
    assert sum_marg_lh(scores, *both).item() == pytest.approx(math.log(2))
    assert joint_lh(scores, *both).item() == pytest.approx(math.log(16))
    assert lse_pair(scores, *both).item() == pytest.approx(math.log(5))
    assert single_lh(scores, *one).item() == pytest.approx(math.log(3))


def test_single_positive_losses_refuse_several():
    with pytest.raises(ValueError, match="several"):
        single_lh(torch.zeros(1, 3), *masks(["ppn"]))


@given(batch=batches())
def test_sum_of_probabilities_is_never_worse_than_each(batch):
    """-log sum P <= -sum log P, and the pairwise loss bounds the marginal one from above."""
    scores, (positives, negatives) = torch.tensor(batch[0]), masks(batch[1])
    marginal = sum_marg_lh(scores, positives, negatives)
    assert marginal <= joint_lh(scores, positives, negatives) + 1e-4
    assert marginal <= lse_pair(scores, positives, negatives) + 1e-4


@pytest.mark.parametrize("name", MULTIPLE)
@given(batch=batches(), shift=st.floats(-20, 20), seed=st.integers(0, 99))
def test_is_unchanged_by_a_shift_of_scores_and_by_the_order_of_passages(name, batch, shift, seed):
    scores, (positives, negatives) = torch.tensor(batch[0], dtype=torch.float64), masks(batch[1])
    order = torch.randperm(scores.shape[1], generator=torch.Generator().manual_seed(seed))
    loss = LOSSES[name].function(scores, positives, negatives)
    other = LOSSES[name].function(scores[:, order] + shift, positives[:, order], negatives[:, order])
    torch.testing.assert_close(loss, other, rtol=1e-7, atol=1e-7)


@pytest.mark.parametrize("name", [*MULTIPLE, *LISTWISE])
@given(batch=batches())
def test_gradient_is_finite_and_zero_outside_both_sets(name, batch):
    scores, (positives, negatives) = torch.tensor(batch[0], requires_grad=True), masks(batch[1])
    LOSSES[name].function(scores, positives, negatives).backward()
    assert scores.grad.isfinite().all()
    assert (scores.grad[~(positives | negatives)] == 0).all()
    assert (scores.grad[~positives.any(dim=1)] == 0).all()


@pytest.mark.parametrize("name", [*MULTIPLE, *LISTWISE])
def test_a_query_without_a_positive_adds_no_term(name):
    scores = torch.randn(2, 4, generator=torch.Generator().manual_seed(0))
    alone = LOSSES[name].function(scores[:1], *masks(["ppnn"]))
    assert LOSSES[name].function(scores, *masks(["ppnn", "nnnn"])).item() == pytest.approx(alone.item())


@pytest.mark.parametrize("name", LOSSES)
def test_a_batch_without_any_positive_has_loss_and_gradient_zero(name):
    scores = torch.randn(2, 4, requires_grad=True)
    loss = LOSSES[name].function(scores, *masks(["nnnn", "nxnn"]))
    loss.backward()
    assert loss.item() == 0
    assert (scores.grad == 0).all()


@pytest.mark.parametrize("name", MULTIPLE)
def test_a_positive_of_tiny_probability_keeps_its_gradient(name):
    """P(d+) is about e^-60, far below what fp16 or a clamp at 1e-8 can hold; the gradient must still be about -1."""
    scores = torch.tensor([[-30.0, 30.0]], requires_grad=True)
    loss = LOSSES[name].function(scores, *masks(["pn"]))
    loss.backward()
    assert loss.item() == pytest.approx(60)
    assert scores.grad.tolist() == [pytest.approx([-1.0, 1.0])]


def test_scores_of_half_precision_are_widened():
    scores = torch.tensor([[-200.0, 0.125]], dtype=torch.float16)
    assert sum_marg_lh(scores, *masks(["pn"])).dtype == torch.float32


@given(
    st.lists(st.tuples(st.floats(-12, 12), st.floats(-60, 0)), min_size=1, max_size=6),
    st.floats(-50, 50),
)
def test_kl_equals_the_reference(passages, outside):
    scores, answers = zip(*passages, strict=True)
    target, model = (torch.tensor(values, dtype=torch.float64).softmax(0) for values in (answers, scores))
    expected_kl = sum(p * math.log(p / q) for p, q in zip(target.tolist(), model.tolist(), strict=True) if p > 0)
    drawn = torch.tensor([[True] * len(scores) + [False]])
    loss = kl(torch.tensor([[*scores, outside]]), drawn, torch.tensor([[*answers, 0.0]]))
    assert loss.item() == pytest.approx(expected_kl, rel=1e-3, abs=1e-4)


def test_kl_is_zero_where_the_scores_are_the_log_likelihoods_up_to_a_constant():
    answers = torch.tensor([[-3.0, -1.0, -7.0]])
    assert kl(answers + 5, torch.ones(1, 3, dtype=torch.bool), answers).item() == pytest.approx(0, abs=1e-6)


def test_kl_gradient_is_model_minus_target():
    scores, answers = torch.tensor([[0.5, -1.0, 2.0, 9.0]], requires_grad=True), torch.tensor([[-1.0, -2.0, -5.0, 0.0]])
    kl(scores, torch.tensor([[True, True, True, False]]), answers).backward()
    difference = scores.detach()[0, :3].softmax(0) - answers[0, :3].softmax(0)
    torch.testing.assert_close(scores.grad[0], torch.cat([difference, torch.zeros(1)]))


def test_a_new_loss_trains_by_its_entry_alone(collection, tiny, tmp_path, monkeypatch):
    def margin(scores, positives, negatives):
        assert (positives.sum(dim=1) == 1).all(), "the entry asks for a single positive"
        return (scores * negatives).sum() - (scores * positives).sum()

    monkeypatch.setitem(LOSSES, "margin", Loss(function=margin, description="", positives="random"))
    backbone = Backbone(model="tiny", query_length=12, passage_length=24)
    keys = {"train_group_size": 4, "global_batch_size": 5, "epochs": 1, "precision": "fp32"}
    inputs = Inputs(tiny, collection.labels_path, tuple(collection.shards))
    where = {
        "checkpoints": tmp_path / "checkpoints",
        "events_folder": tmp_path / "events",
        "output": tmp_path / "model",
    }
    performance = TrainPerformance(device="cpu")
    train(inputs, Training(labels="test", loss="margin", **keys), backbone, performance, **where)
    record = json.loads((tmp_path / "model" / "training.json").read_text())
    assert record["training"]["loss"] == "margin"
    assert all(math.isfinite(loss) for _, _, loss, _ in record["curve"])
    with pytest.raises(InputError, match=r"'marg' is no loss \(did you mean 'margin'\?\)"):
        train(inputs, Training(labels="test", loss="marg", **keys), backbone, performance, **where)


@pytest.mark.process
def test_the_losses_are_looked_up_without_torch(root):
    code = "import sys, utility_annotation.training.losses; print(*sys.modules)"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=root / "workflow/scripts", capture_output=True, text=True, check=True)
    assert "torch" not in done.stdout.split()
