"""Programs of our own: found by their form alone, the least used forgotten, the user's caches never
touched.
"""

import gc
import threading
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscale.ground import _compiled
from jaxscale.ground._compiled import compiled

MAPS = Path("/proc/self/maps")


@pytest.fixture
def own(monkeypatch):
    """An empty store of programs, which another test's do not fill."""
    monkeypatch.setattr(_compiled, "_kept", type(_compiled._kept)())
    return _compiled._kept


def plus(traces):
    @compiled
    def added(x, *, by):
        traces.append(by)
        return x + by

    return added


def test_a_program_is_traced_once_for_each_form(own):
    traces = []
    added = plus(traces)
    with jax.enable_x64(True):
        for x in (np.ones(3), np.zeros(3), jnp.ones(3), np.ones(4), np.ones(3, np.float32)):
            for by in (1.0, 2.0):
                np.testing.assert_array_equal(added(x, by=by), x + by)
    assert traces == [1.0, 2.0] * 4
    assert len(own) == 8
    added(np.ones(3), by=1.0)  # 32 bits are another form
    assert len(own) == 9


def test_what_is_traced_by_others_goes_through_them(own):
    added = plus([])
    assert jax.jit(lambda x: added(x, by=2.0))(1.0) == 3.0
    assert jax.grad(lambda x: added(x * x, by=2.0))(3.0) == 6.0
    np.testing.assert_array_equal(
        jax.vmap(lambda x: added(x, by=2.0))(jnp.arange(3.0)), [2.0, 3.0, 4.0]
    )
    assert not own


def test_the_least_used_is_forgotten_first(own, monkeypatch):
    monkeypatch.setattr(_compiled, "MOST", 3)
    traces = []
    added = plus(traces)
    for by in (1.0, 2.0, 3.0, 1.0, 4.0, 1.0, 2.0):
        added(np.ones(2), by=by)
    assert traces == [1.0, 2.0, 3.0, 4.0, 2.0]
    assert len(own) == 3


@pytest.mark.skipif(not MAPS.exists(), reason="only Linux limits the maps of a process")
def test_a_crowded_process_keeps_few_and_their_maps_come_back(own, monkeypatch, tmp_path):
    monkeypatch.setattr(_compiled, "FEW", 2)

    @compiled
    def long(x, *, by):
        for _ in range(5):
            x = jnp.sin(x @ x + by) * jnp.exp(x).sum(0)
        return x

    def taken():
        gc.collect()
        return len(MAPS.read_bytes().splitlines())

    for by in range(12):
        long(np.eye(3), by=by)
    full, user = taken(), jax.jit(jnp.cos)
    user(1.0)
    (tmp_path / "limit").write_text("100")  # far more than half of them are taken
    monkeypatch.setattr(_compiled, "_LIMIT", tmp_path / "limit")
    for by in range(12, 22):
        long(np.eye(3), by=by)
    assert len(own) <= 4
    assert taken() < full - 10
    assert user._cache_size() == 1  # what the user compiled stays


def test_threads_that_ask_for_the_same_program_build_it_once(own):
    traces, found = [], []
    added = plus(traces)
    threads = [
        threading.Thread(target=lambda: found.append(added(np.ones(5), by=7.0))) for _ in range(8)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert traces == [7.0]
    assert len(found) == 8
    assert len(own) == 1


def test_a_traced_function_may_ask_for_the_program_that_is_built(own):
    """It waits for nobody, so that two threads that ask for each other's programs both end."""

    @compiled
    def inner(x):
        return x + 1.0

    @compiled
    def outer(x):
        return x * inner(np.ones(2))

    found = []
    threads = [
        threading.Thread(target=lambda f=f: found.append(f(np.ones(2))))
        for f in (outer, inner, outer, inner)
    ]
    for t in threads:
        t.start()
    for t in threads:
        t.join(timeout=60)
    assert len(found) == 4
    assert all(np.all(np.asarray(v) == 2.0) for v in found)


def test_the_device_may_be_named(own):
    with jax.default_device("cpu"):
        assert plus([])(np.ones(1), by=1.0)[0] == 2.0


def test_what_is_forgotten_is_traced_again(own):
    traces = []
    added = plus(traces)
    added(np.ones(1), by=1.0)
    _compiled.forget()
    added(np.ones(1), by=1.0)
    assert traces == [1.0, 1.0]


def test_without_jit_functions_run_as_they_are(own):
    with jax.disable_jit():
        assert plus([])(np.ones(1), by=1.0)[0] == 2.0
    assert not own
