"""Fits that are known to look better than they are: each must be FLAT, honestly wide, or cautioned
by name.

Published fits of these tables print narrow numbers for quantities that the runs do not determine:
the scale of an exponential mixture law, the half-life of repeated data, exponents from runs of one
D/N, the offset of a law of visual tokens, the scale of a coverage law. One line each: the status,
and how wide the default interval of that quantity is.
"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import numpy as np
from _common import arguments, one_by_one, place
from published_fits import FITS

import jaxscale as jsl

WIDE = 0.75  # of an interval, relative to its middle
PUBLISHED = {
    "exponential mixture law, k": ("Ye et al. 2024, five domains, loss on academic", "k"),
    "repeated data, R_D": ("Muennighoff et al. 2023, stage 2, 182 runs", "R_D"),
    "visual tokens, d": ("Li et al. 2024, 28 vision-language models, d free", "d"),
    "coverage law, scale": (
        "Coverage of MATH by 100 samples of Pythia 12B, exponentiated power law",
        "a",
    ),
}


def main() -> None:
    parser = arguments(__doc__)
    options = parser.parse_args()
    jobs = (
        {name: partial(of_published, *which) for name, which in PUBLISHED.items()}
        if not options.smoke
        else {}
    )
    jobs["one ratio D/N, alpha"] = fixed_ratio
    for line in one_by_one(jobs, options.output):
        caught = line["flagged"] or line["relative_width"] >= WIDE or line["cautions"]
        assert caught, f"{line['method']}: {line['status']}, {line['low']} to {line['high']}"


def of_published(name: str, parameter: str) -> dict[str, Any]:
    published = next(f for f in FITS if f.name == name)
    begin = time.perf_counter()
    fit = jsl.fit(
        published.law, published.runs(), objective=published.objective, starts=published.starts
    )
    return judged(fit, parameter, begin)


def fixed_ratio() -> dict[str, Any]:
    """The embedded sweep as if every run had been trained on 20 tokens per parameter."""
    runs = jsl.datasets.load("simulated")
    begin = time.perf_counter()
    n = np.unique(runs["N"])
    loss = jsl.laws.chinchilla.published["besiroglu2024"](n, 20 * n) * np.exp(
        0.002 * np.random.default_rng(0).standard_normal(len(n))
    )
    return judged(
        jsl.fit(jsl.laws.chinchilla, jsl.Runs.from_columns(N=n, D=20 * n, loss=loss)),
        "alpha",
        begin,
    )


def judged(fit: jsl.Fit, parameter: str, begin: float) -> dict[str, Any]:
    status = jsl.Status(int(fit.status))
    found = jsl.interval(fit)[parameter]
    low, middle, high = (np.atleast_1d(v) for v in found)
    with np.errstate(all="ignore"):
        relative = float(np.nanmin(np.where(middle != 0, (high - low) / np.abs(middle), np.inf)))
    return {
        "status": status.name or "OK",
        "flagged": bool(status & (jsl.Status.FLAT | jsl.Status.AT_BOUND)),
        "estimate": np.asarray(found.point).tolist(),
        "low": low.tolist(),
        "high": high.tolist(),
        "kind": found.kind,
        "relative_width": relative,  # of the narrowest element
        "rows": len(fit.problem.runs),
        "cautions": list(jsl.uncertainty.cautions(fit)),
        "findings": list(fit.certificate.findings),
        "seconds": time.perf_counter() - begin,
        **place("float64"),
    }


if __name__ == "__main__":
    main()
