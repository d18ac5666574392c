"""Nothing recompiles when only data, delta, seed, fixed values, budget or prices change."""

import jax
import numpy as np
from cases import noisy

import jaxscale as jsl
from jaxscale import costs
from jaxscale.fitting import _host
from jaxscale.formula import _programs
from jaxscale.laws import chinchilla
from jaxscale.plans import _oracle


def counted(monkeypatch, name, function, user, static=()):
    """Replace a jitted function by one that counts its traces."""
    traces = []

    def count(*args, **options):
        traces.append(1)
        return function.__wrapped__(*args, **options)

    jitted = jax.jit(count, static_argnames=static)
    monkeypatch.setattr(user, name, jitted)
    return traces


def test_fits_and_refits_share_one_trace(monkeypatch):
    """Tables of any length, starts, seeds, deltas, what is fixed and tied, refits and several
    tables: all of it is data.
    """
    traces = counted(monkeypatch, "summed", _programs.summed, _host, static=("layout", "widths"))
    a, b = noisy("chinchilla", 0.01, seed=0), noisy("chinchilla", 0.01, seed=1)
    fit = jsl.fit(chinchilla, a, starts=16)
    assert len(traces) == 1
    jsl.fit(chinchilla, b, starts=16)  # data
    jsl.fit(chinchilla, b.where(np.arange(49) < 30), starts=16)  # fewer rows
    jsl.fit(chinchilla, a, objective=jsl.objectives.LogHuber(1e-2), starts=16)  # delta
    jsl.fit(chinchilla, a, seed=5, starts=64)  # seed, number of starts
    jsl.fit(chinchilla.start(A=(1, 1e6)), a, starts=16)  # start ranges
    for held in (
        chinchilla.fix(alpha=0.34),
        chinchilla.fix(alpha=0.35, E=0.0),
        chinchilla.tie(beta="alpha"),
    ):
        jsl.fit(held, a, starts=16)
    jsl.fit(chinchilla, [a, b], starts=16)  # several tables
    jsl.fit(chinchilla, a, objective=[jsl.objectives.LogHuber(d) for d in (1e-3, 1e-2)], starts=16)
    boot = jsl.bootstrap(fit, 50)
    jsl.bootstrap(fit, 40, seed=3, kind="webb")
    jsl.interval(boot, kind="studentised")
    assert len(traces) == 1
    # another kind of objective
    jsl.fit(chinchilla, a, objective=jsl.objectives.LogSquared(), starts=16)
    assert len(traces) == 2


def test_plans_share_one_trace(monkeypatch):
    """Budget, target, bounds, prices, number of plans, and edges and regrets of a plan are data:
    only functions compile.
    """
    traces = counted(monkeypatch, "_chunks", _oracle._chunks, _oracle)
    law = chinchilla.published["hoffmann2022"]
    jsl.allocate(law, 1e21)
    jsl.allocate(law, np.geomspace(1e20, 1e24, 7))
    jsl.allocate(chinchilla.published["besiroglu2024"], 1e22)
    jsl.allocate(law.fix(alpha=0.4), 1e22)
    jsl.allocate(law, target=2.1)
    for cap in (1e12, 2e12):
        jsl.allocate(law, 1e24, bounds={"D": (None, cap)})
    for count in (20, 2000):
        jsl.allocate(law, np.geomspace(1e20, 1e24, count))
    jsl.allocate(law, 1e23).near_optimal(loss_slack=0.001, cost_slack=0.01)
    assert len(traces) == 1
    for tokens, price in ((1e11, 1.0), (1e12, 2.0)):
        jsl.allocate(law, 1e22, cost=costs.Lifetime(tokens, inference_price=price))
    jsl.allocate(law, target=2.1, cost=costs.Lifetime(1e12))
    assert len(traces) == 2
    for memory in (40e9, 80e9):
        jsl.allocate(law, 1e24, constraints={"memory": (_memory, memory)})
    assert len(traces) == 3
    boot = jsl.bootstrap(jsl.fit(chinchilla, noisy("chinchilla", 0.01), starts=8), 20)
    jsl.allocate(boot, 1e22).regret()
    assert len(traces) == 3
    jsl.allocate(law, np.geomspace(1e20, 1e24, 7), maximise=_less, target=None)
    assert len(traces) == 4


def _memory(N):
    return 2 * N


def _less(loss):
    return -loss
