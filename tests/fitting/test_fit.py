"""`fit` on real tables: certified optima, starts that agree, and nothing that depends on scale or
seed.
"""

import dataclasses
import json
import os
import select
import signal
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxscale as jsl
from jaxscale.laws import chinchilla

CERTIFIED = json.loads((Path(__file__).parent / "certified" / "chinchilla.json").read_text())


def load(case):
    if case["table"] != "misfitting":
        return jsl.datasets.load(case["table"], rows=case["rows"])
    with pytest.warns(jsl.JaxscaleWarning, match="exact copies"):
        return jsl.datasets.load("misfitting")


@pytest.mark.real
@pytest.mark.parametrize("case", CERTIFIED, ids=lambda c: f"{c['table']}-{c['rows']}")
def test_certified_fits(case):
    runs = load(case)
    fit = jsl.fit(chinchilla, runs)
    assert len(runs) == case["n"]
    assert fit.ok, fit.certificate.findings
    assert fit.value <= case["objective"] * (1 + 1e-8)
    for k, digits in case["params"].items():  # printed digits: equal to half a unit of the last one
        shown = float(digits)
        half = 0.5 * 10.0 ** -len(digits.partition(".")[2])
        assert abs(fit.params[k] - shown) <= half * 1.0001, (k, fit.params[k], digits)
    c = fit.certificate
    assert c.starts_drawn == c.starts_kept == 256
    assert c.starts_agreed >= 0.95 * c.starts_drawn
    assert c.gradient < 1e-6
    assert c.rows_used == case["n"]


@pytest.mark.real
def test_the_optimum_is_scipys(hoffmann):
    """Independent: NumPy objective, exact gradient, scipy from Epoch's printed solution, objective
    scaled.
    """
    from scipy.optimize import minimize

    runs = hoffmann.problem.runs
    n, d, y = np.log(runs["N"]), np.log(runs["D"]), np.log(runs["loss"])

    def value_and_gradient(t):
        terms = np.stack([t[0] - t[3] * n, t[1] - t[4] * d, np.full_like(n, t[2])])
        top = terms.max(axis=0)
        share = np.exp(terms - top)
        total = share.sum(axis=0)
        r = top + np.log(total) - y
        share /= total
        psi = np.clip(r, -1e-3, 1e-3)
        value = np.sum(np.where(np.abs(r) <= 1e-3, 0.5 * r**2, 1e-3 * (np.abs(r) - 5e-4)))
        return 1e6 * value, 1e6 * np.array(
            [*(share * psi).sum(axis=1), -(share[0] * psi * n).sum(), -(share[1] * psi * d).sum()]
        )

    start = [np.log(477.84), np.log(2143.86), np.log(1.81724), 0.34731, 0.36718]
    found = minimize(
        value_and_gradient, start, jac=True, method="BFGS", options={"gtol": 1e-7, "maxiter": 2000}
    )
    assert hoffmann.value <= found.fun / 1e6 * (1 + 1e-9)
    np.testing.assert_allclose(hoffmann.value, found.fun / 1e6, rtol=1e-6)


@pytest.mark.real
def test_twenty_seeds_find_the_same_optimum(hoffmann):
    runs = hoffmann.problem.runs
    for seed in range(1, 21):
        fit = jsl.fit(chinchilla, runs, starts=128, seed=seed)
        assert fit.certificate.starts_agreed >= 0.95 * 128
        np.testing.assert_allclose(fit.value, hoffmann.value, rtol=1e-12)
        for k in fit.params:
            np.testing.assert_allclose(np.log(fit.params[k]), np.log(hoffmann.params[k]), atol=1e-9)


@pytest.mark.real
@pytest.mark.parametrize("factor", [1e6, 1e-6])
def test_the_scale_of_the_weights_changes_nothing(hoffmann, factor):
    runs = hoffmann.problem.runs
    scaled = dataclasses.replace(runs, weights=np.asarray(runs.weights) * factor)
    fit = jsl.fit(chinchilla, scaled)
    assert fit.ok
    np.testing.assert_allclose(fit.value, hoffmann.value * factor, rtol=1e-12)
    for k in fit.params:
        assert abs(np.log(fit.params[k]) - np.log(hoffmann.params[k])) <= 1e-9


def test_the_same_call_gives_the_same_bits(simulated):
    again = jsl.fit(chinchilla, simulated.problem.runs)
    for k in again.params:
        assert again.params[k] == simulated.params[k]


def test_weights_count_rows(simulated):
    """A weight of 2 is the row twice; a weight of 0 is no row."""
    runs = simulated.problem.runs
    twice = np.r_[np.arange(60), np.arange(10)]
    with pytest.warns(jsl.JaxscaleWarning, match="10 of 70"):
        copied = jsl.Runs.from_columns(
            N=runs["N"][twice], D=runs["D"][twice], loss=runs["loss"][twice]
        )
    weighted = jsl.Runs.from_columns(
        N=runs["N"], D=runs["D"], loss=runs["loss"], weights=np.r_[np.full(10, 2.0), np.ones(50)]
    )
    a, b = jsl.fit(chinchilla, copied), jsl.fit(chinchilla, weighted)
    np.testing.assert_allclose(a.value, b.value, rtol=1e-12)
    np.testing.assert_allclose(a.params["alpha"], b.params["alpha"], rtol=1e-9)
    zero = jsl.Runs.from_columns(
        N=runs["N"], D=runs["D"], loss=runs["loss"], weights=np.r_[np.zeros(10), np.ones(50)]
    )
    left = runs.where(np.arange(60) >= 10)
    np.testing.assert_allclose(
        jsl.fit(chinchilla, zero).params["beta"],
        jsl.fit(chinchilla, left).params["beta"],
        rtol=1e-9,
    )


def test_fix_tie_and_start(simulated):
    runs = simulated.problem.runs
    tied = jsl.fit(chinchilla.tie(beta="alpha"), runs)
    assert tied.params["alpha"] == tied.params["beta"]
    assert tied.value > simulated.value
    fixed = jsl.fit(chinchilla.fix(alpha=float(simulated.params["alpha"])), runs)
    np.testing.assert_allclose(fixed.value, simulated.value, rtol=1e-10)
    # a start range is never a bound
    far = jsl.fit(chinchilla.start(alpha=(1.2, 1.4), beta=(1.2, 1.4)), runs)
    np.testing.assert_allclose(far.value, simulated.value, rtol=1e-10)
    assert set(far.certificate.outside_start) == {"alpha", "beta"}


def test_one_value_per_group_recovers_each():
    rng = np.random.default_rng(0)
    family = np.repeat(["a", "b", "c"], 40)
    E = {"a": 1.5, "b": 1.8, "c": 2.1}
    N, D = np.exp(rng.uniform(18, 23, 120)), np.exp(rng.uniform(21, 26, 120))
    loss = np.array([E[f] for f in family]) + 400 * N**-0.34 + 1100 * D**-0.33
    runs = jsl.Runs.from_columns(
        N=N, D=D, loss=loss * np.exp(1e-4 * rng.standard_normal(120)), groups={"family": family}
    )
    fit = jsl.fit(chinchilla.per(E="family"), runs)
    assert fit.ok, fit.certificate.findings
    np.testing.assert_allclose(fit.params["E"], [1.5, 1.8, 2.1], rtol=5e-3)
    np.testing.assert_allclose(
        fit.law(1e9, 2e10, family="b"), 1.8 + 400 * 1e9**-0.34 + 1100 * 2e10**-0.33, rtol=1e-3
    )
    boot = jsl.bootstrap(fit, 60)
    assert boot.params["E"].shape == (60, 3)
    assert boot.ok.mean() > 0.95  # every resample keeps every family
    assert "E[b]" in jsl.report(boot)


def test_results_are_numpy_float64_and_x64_stays_off(simulated):
    assert not jax.config.jax_enable_x64
    assert all(
        isinstance(v, np.ndarray | np.float64) and v.dtype == np.float64
        for v in simulated.params.values()
    )
    with pytest.raises(TypeError, match="nothing like it"):
        jsl.fit(
            chinchilla,
            simulated.problem.runs,
            solver=type("S", (), {"__repr__": lambda s: "nothing like it"})(),
        )
    assert not jax.config.jax_enable_x64


def test_two_threads_fit_at_once(simulated):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(2) as pool:
        fits = list(pool.map(lambda s: jsl.fit(chinchilla, simulated.problem.runs, seed=s), (0, 1)))
    assert fits[0].value == simulated.value
    np.testing.assert_allclose(fits[1].value, simulated.value, rtol=1e-12)


def test_a_fit_does_not_go_inside_a_transformation():
    law, runs = jsl.laws.chinchilla, jsl.datasets.load("simulated")
    for call in (
        lambda: jax.jit(lambda x: x * float(jsl.fit(law, runs, starts=8).params["alpha"]))(1.0),
        lambda: jax.grad(lambda e: jsl.fit(law.fix(E=e), runs, starts=8).value)(1.7),
    ):
        with pytest.raises(jsl.InputError, match=r"fit\(\) inside jax\.jit, grad or vmap"):
            call()
    with pytest.raises(ValueError, match=r"(?s)starts=1000000\.0.*a whole number"):
        jsl.fit(law, runs, starts=1e6)
    with pytest.raises(TypeError, match=r"fit\(\) takes Runs, not dict"):
        jsl.fit(law, {"N": [1e9]})


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
@pytest.mark.filterwarnings("ignore:.*fork")
def test_a_forked_child_says_so_instead_of_waiting_for_ever(simulated):
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            jsl.fit(chinchilla, simulated.problem.runs, starts=8)
        except BaseException as error:
            os.write(write, str(error).encode())
        os._exit(0)
    os.close(write)
    ready, _, _ = select.select([read], [], [], 60)
    said = os.read(read, 1000) if ready else b""
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    assert said.startswith(b"a forked child of a process that has already fitted")
