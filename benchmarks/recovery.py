"""Noise-free runs of every law in jaxscale.laws: fitted, the true parameters must come back, or the
status must say why not.

Quality: the largest relative error of a parameter. The cases are those of the tests
(`tests/cases`).
"""

from __future__ import annotations

import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from _common import arguments, one_by_one, place

import jaxscale as jsl

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from cases import LAWS, OTHERWISE, SHAPES, noisy

TOLERANCE = 1e-6


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--only", nargs="+", help="names of laws")
    options = parser.parse_args()
    names = options.only or (SHAPES[:2] if options.smoke else LAWS)
    records = one_by_one({name: partial(record, name) for name in names}, options.output)
    for line in records:
        assert line["as_expected"], f"{line['method']}: {line['status']}, error {line['error']:.1e}"


def record(name: str) -> dict[str, Any]:
    """One law's fit of its own noise-free runs."""
    law, true, _ = LAWS[name]
    begin = time.perf_counter()
    fit = jsl.fit(law, noisy(name, 0.0))
    seconds = time.perf_counter() - begin
    error = max(float(np.max(np.abs(fit.params[k] / np.asarray(v) - 1))) for k, v in true.items())
    status = jsl.Status(int(fit.status)).name or "OK"
    expected = OTHERWISE.get(name)
    right = fit.ok and error <= TOLERANCE if expected is None else not fit.ok and expected in status
    found = {
        "seconds": seconds,
        "error": error,
        "status": status,
        "expected": expected or "OK",
        "as_expected": bool(right),
    }
    return {
        "method": name,
        **found,
        "parameters": len(law.free),
        "rows": len(noisy(name, 0.0)),
        **place("float64"),
    }


if __name__ == "__main__":
    main()
