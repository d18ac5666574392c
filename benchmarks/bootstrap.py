"""Thousands of refits of one law on resamples of one table: jaxscale, a batched peer, and scipy one by one.

The quick benchmark of jaxscale itself; what the job is and how methods are judged stands in `_refits.py`. `peers.py` runs
the same job with more of the ways in which people do it.
"""

from __future__ import annotations

from _common import arguments, emit
from _refits import as_published, found_every_optimum, judged, prepared, with_jaxscale, with_optimistix_twice


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--resamples", type=int, default=4000)
    parser.add_argument("--scipy", type=int, default=20, help="refits that scipy runs")
    options = parser.parse_args()
    resamples, sample = (60, 2) if options.smoke else (options.resamples, min(options.scipy, options.resamples))
    work = prepared(resamples, repeats=1 if options.smoke else 3)
    records = judged(work, [with_jaxscale(work), *with_optimistix_twice(work), as_published(work, sample)])
    emit(records, options.output)
    found_every_optimum(records)


if __name__ == "__main__":
    main()
