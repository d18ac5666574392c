"""Chains: from compute to what people care about, one stage after another.

A law for the loss and links from that loss to a metric, their units and shared runs, and the
uncertainty of all stages together. May import: everything up to `uncertainty`.
"""

from typing import TYPE_CHECKING

from ..ground import _lazy

if TYPE_CHECKING:
    from ._chain import Chain as Chain
    from ._result import ChainForecast as ChainForecast
else:
    _NAMES = {
        "Chain": "chains._chain",
        "ChainForecast": "chains._result",
    }
    __getattr__, __dir__, __all__ = _lazy.lazily(__name__, _NAMES)
