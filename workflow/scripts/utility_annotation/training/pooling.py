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
            texts' vectors (n, dimension), with padding on either side. A text without tokens has the vector 0.
        description: for the reference of the configuration.
        saved_as: its ``Pooling`` configuration for sentence-transformers, in a model folder.
        reads_on: whether it takes the vector of a token that must have seen the tokens after it.
    """

    function: Callable[[Tensor, Tensor], Tensor]
    description: str
    saved_as: dict[str, bool]
    reads_on: bool = False


def _first(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    return _at(attention_mask.argmax(dim=1), hidden)


def _mean(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    mask = attention_mask.unsqueeze(-1).float()
    return (hidden * mask).sum(dim=1) / mask.sum(dim=1).clamp(min=1)


def _last(hidden: Tensor, attention_mask: Tensor) -> Tensor:
    last = (attention_mask.cumsum(dim=1) * attention_mask).argmax(dim=1)
    return _at(last, hidden) * attention_mask.amax(dim=1, keepdim=True)


def _at(places: Tensor, hidden: Tensor) -> Tensor:
    return hidden.gather(1, places[:, None, None].expand(-1, 1, hidden.shape[-1]))[:, 0]


POOLINGS: dict[str, Pooling] = {
    "cls": Pooling(
        function=_first,
        description="the vector of the first token, [CLS]",
        saved_as={"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False},
        reads_on=True,
    ),
    "mean": Pooling(
        function=_mean,
        description="the mean over the tokens",
        saved_as={"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True},
    ),
    "last": Pooling(
        function=_last,
        description="the vector of the last token, for decoders",
        saved_as={"pooling_mode_lasttoken": True, "pooling_mode_mean_tokens": False},
    ),
}
"""By the name in ``backbones.*.pooling``."""
