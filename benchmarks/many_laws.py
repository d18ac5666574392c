"""A process that fits one law after another: what it holds of memory, and of the memory maps that
Linux allows it.

Each law is another form (a number in its formula differs), so each compiles its own programs; every
one is fitted to 60 rows and planned once. Maps and resident memory are to stay flat: only so many
programs are kept. What the user compiled stays too: a function of the user's own, compiled before
the first law, is compiled once. Quality is how far E is from the one drawn.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _common import arguments, emit, place

import jaxscale as jsl

AT = (1, 10, 50, 100, 150, 200, 250, 300)


def main() -> None:
    options = arguments(__doc__).parse_args()
    emit(measured(10 if options.smoke else 300), options.output, digits=6)


def measured(count: int) -> list[dict[str, Any]]:
    """One record at each of the counts in `AT`."""
    user = jax.jit(lambda x: jnp.sin(x) + 1.0)
    user(1.0)
    runs, records, begin = drawn(), [], time.perf_counter()
    for i in range(1, count + 1):
        fit = jsl.fit(form(0.01 * i), runs, starts=8)
        jsl.allocate(fit.law, 1e22)
        if i in AT:
            held = {"maps": maps(), "resident_mb": resident(), "user_programs": user._cache_size()}
            far = abs(float(fit.params["E"]) / 1.69 - 1.0)
            seconds = (time.perf_counter() - begin) / i
            records.append(
                {
                    "method": f"{i} laws",
                    **held,
                    "seconds_each": seconds,
                    "E_off": far,
                    **place("float64"),
                }
            )
    return records


def form(shift: float) -> jsl.Law:
    """Another law for every shift, which is a number of the formula and no argument."""

    @jsl.law
    def shifted(N: jsl.units.Params, D: jsl.units.Tokens, *, E=jsl.positive(0.5, 3.0),
                A=jsl.positive(1.0, 1e4),
                alpha=jsl.between(0.05, 1.0), B=jsl.positive(1.0, 1e4),
                beta=jsl.between(0.05, 1.0)):  # fmt: skip
        """Loss [nats/token] from N [parameters] and D [tokens]."""
        return E + A / (N + shift) ** alpha + B / D**beta

    return shifted


def drawn() -> jsl.Runs:
    rng = np.random.default_rng(0)
    N, D = 10 ** rng.uniform(7.0, 10.0, 60), 10 ** rng.uniform(9.0, 11.5, 60)
    loss = (1.69 + 406.4 / N**0.34 + 410.7 / D**0.28) * np.exp(0.003 * rng.standard_normal(60))
    return jsl.Runs.from_columns(
        N=N,
        D=D,
        loss=loss,
        units={"N": jsl.units.Params, "D": jsl.units.Tokens, "loss": jsl.units.Nats},
    )


def maps() -> int:
    return len(Path("/proc/self/maps").read_bytes().splitlines())


def resident() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


if __name__ == "__main__":
    main()
