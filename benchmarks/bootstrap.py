"""Thousands of refits of one law on resamples of one table: jaxscale, a batched peer, and scipy one
by one.

The quick benchmark of jaxscale itself; what the job is and how methods are judged stands in
`_refits.py`. `peers.py` runs the same job with more of the ways in which people do it. The last
line says from how many refits on a new process with jaxscale is done before one with scipy's
`least_squares`, the quickest way without compiling anything.
"""

from __future__ import annotations

from _common import arguments, emit
from _refits import (
    as_published,
    break_even,
    found_every_optimum,
    judged,
    prepared,
    told_of_starts,
    with_jaxscale,
    with_least_squares,
    with_optimistix_twice,
)


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--resamples", type=int, default=4000)
    parser.add_argument("--scipy", type=int, default=20, help="refits that scipy runs")
    parser.add_argument(
        "--least-squares", type=int, default=400, help="refits that scipy's least_squares runs"
    )
    options = parser.parse_args()
    resamples, sample = (
        (60, 2) if options.smoke else (options.resamples, min(options.scipy, options.resamples))
    )
    work = prepared(resamples, repeats=1 if options.smoke else 3)
    ours, batched, published = (
        with_jaxscale(work),
        with_optimistix_twice(work),
        as_published(work, sample),
    )
    records = judged(
        work,
        [
            ours,
            *batched,
            published,
            with_least_squares(work, options.least_squares if sample > 2 else sample),
        ],
    )
    told_of_starts(work, records, 3 if options.smoke else 50)
    records.append(break_even(work, records[0], records[-1], 1 if options.smoke else 3))
    emit(records, options.output)
    found_every_optimum(records)


if __name__ == "__main__":
    main()
