"""How token vectors become the vector of a text: one entry per way of pooling.

The module imports no torch, so that checking a configuration does not need it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Pooling:
    """A way of pooling.

    Attributes:
        function: takes the tokens' vectors (n, tokens, dimension) and the attention mask (n, tokens), and returns the
            texts' vectors (n, dimension).
        description: for the reference of the configuration.
        saved_as: its ``Pooling`` configuration for sentence-transformers, in a model folder.
    """

    function: Callable[[Tensor, Tensor], Tensor]
    description: str
    saved_as: dict[str, bool]


def _first(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    return hidden[:, 0]


def _mean(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    mask = attention_mask.unsqueeze(-1).float()
    return (hidden * mask).sum(dim=1) / mask.sum(dim=1)


POOLINGS: dict[str, Pooling] = {
    "cls": Pooling(
        function=_first,
        description="the vector of the first token, [CLS]",
        saved_as={"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
    ),
    "mean": Pooling(
        function=_mean,
        description="the mean over the tokens",
        saved_as={"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True},
    ),
}
"""By the name in ``backbones.*.pooling``."""
