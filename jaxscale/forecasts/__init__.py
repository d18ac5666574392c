"""Forecasts: on record before the run, scored after it.

The forecast, its file (written once, refused when altered), its score, the ledger of a directory,
and hindsight: would the smaller runs have predicted the largest one? May import: everything up to
`uncertainty`, and `laws`.
"""

from typing import TYPE_CHECKING

from ..ground import _lazy

if TYPE_CHECKING:
    from ._hindsight import Hindsight as Hindsight
    from ._hindsight import hindsight as hindsight
    from ._ledger import Ledger as Ledger
    from ._ledger import ledger as ledger
    from ._score import Score as Score
else:
    _NAMES = {
        "Hindsight": "forecasts._hindsight",
        "Ledger": "forecasts._ledger",
        "Score": "forecasts._score",
        "hindsight": "forecasts._hindsight",
        "ledger": "forecasts._ledger",
    }
    __getattr__, __dir__, __all__ = _lazy.lazily(__name__, _NAMES)
