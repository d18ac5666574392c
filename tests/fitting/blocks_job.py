"""A job of many small blocks, for processes that tests start, kill and count: `python blocks_job.py
OUT [options]`.
"""

import argparse
import warnings

import numpy as np

import jaxscale as jsl
from jaxscale.fitting import _blocks

SMALL = _blocks.Tile(16, 8, 32)
RESAMPLES = 1300  # 41 blocks of 32 lanes


def fitted():
    """A fit that compiles little: five parameters, 48 rows."""
    N, D = np.repeat(np.geomspace(5e7, 1e10, 8), 6), np.tile(np.geomspace(2e9, 3e11, 6), 8)
    noise = np.exp(0.01 * np.random.default_rng(0).standard_normal(48))
    runs = jsl.Runs.from_columns(N=N, D=D, loss=(1.7 + 400 * N**-0.34 + 1100 * D**-0.33) * noise)
    return jsl.fit(jsl.laws.chinchilla, runs, starts=8)


def arrays(boot):
    """All numbers of an ensemble, to be compared bit by bit."""
    return {
        **boot.params,
        "value": boot.value,
        "status": boot.status,
        "gradient": boot.certificate.gradient,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("out")
    parser.add_argument("--resamples", type=int, default=RESAMPLES)
    parser.add_argument("--directory")
    parser.add_argument("--process", nargs=2, type=int, metavar=("PORT", "NUMBER"))
    options = parser.parse_args()
    _blocks.TILES["cpu"] = SMALL
    import jax

    if options.process:
        port, number = options.process
        jax.distributed.initialize(f"127.0.0.1:{port}", 2, number)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        boot = jsl.bootstrap(fitted(), options.resamples, directory=options.directory)
    assert not jax.config.jax_enable_x64
    np.savez(
        options.out, devices=jax.local_device_count(), resumed=boot.work.resumed, **arrays(boot)
    )


if __name__ == "__main__":
    main()
