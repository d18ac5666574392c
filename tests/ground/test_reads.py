"""What a function reads from outside is part of what it is: by value as far as it is Python."""

import functools
import pickle
import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxscale as jsl
from jaxscale import positive
from jaxscale.ground._reads import reads_of

SCALE = 1.0
TABLE = np.arange(3.0)
SETTINGS = {"scale": [1.0, 2.0]}
own = types.ModuleType("somebodys_own")
own.scale = 1.0
sys.modules["somebodys_own"] = own


def helper(x):
    return SCALE * x


@jax.jit
def jitted(x):
    return helper(x)


class Config:
    scale = 1.0

    def __init__(self):
        self.k = 1.0

    def __call__(self, x):
        return self.k * x


config = Config()


def closure(k):
    def inner(x):
        return (lambda y: y * k)(x)

    return inner


def with_default(k):
    def inner(x, k=k):
        return x * k

    return inner


def swapped(where, name, value):
    """A change, as (do, undo)."""
    get, put = (where.get, where.__setitem__) if isinstance(where, dict) else (None, None)
    if get is None:
        get, put = functools.partial(getattr, where), functools.partial(setattr, where)
    old = get(name)
    return lambda: put(name, value), lambda: put(name, old)


here = globals()
CHANGES = {
    "a global": (lambda x: SCALE * x, swapped(here, "SCALE", 2.0)),
    "a global of a helper": (helper, swapped(here, "SCALE", 2.0)),
    "a helper itself": (lambda x: helper(x), swapped(here, "helper", lambda x: x)),
    "a global of a helper inside jit": (lambda x: jitted(x), swapped(here, "SCALE", 2.0)),
    "an array": (lambda x: TABLE[0] * x, swapped(here, "TABLE", np.arange(1.0, 4.0))),
    "a list in a dict": (
        lambda x: SETTINGS["scale"][0] * x,
        swapped(SETTINGS, "scale", [2.0, 2.0]),
    ),
    "a module of one's own": (lambda x: own.scale * x, swapped(own, "scale", 2.0)),
    "an attribute of an object": (config, swapped(config, "k", 2.0)),
    "a constant of a class": (lambda x: Config.scale * x, swapped(Config, "scale", 2.0)),
    "a method": (config, swapped(Config, "__call__", lambda self, x: x)),
    "in a lambda inside": (lambda x: (lambda y: SCALE * y)(x), swapped(here, "SCALE", 2.0)),
    "an argument of partial": (
        functools.partial(helper, SETTINGS),
        swapped(SETTINGS, "scale", 3.0),
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_what_a_function_reads_is_part_of_it(name):
    function, (change, undo) = CHANGES[name]
    before, again = reads_of(function), reads_of(function)
    assert before == again
    assert hash(before) == hash(again)
    change()
    try:
        assert reads_of(function) != before
    finally:
        undo()
    assert reads_of(function) == before


SEEN = []


def test_what_is_only_written_is_not_read():
    """A list that a function adds to, as one that counts its calls, does not make it another
    function.
    """
    here = []

    def counts(x):
        here.append(x)
        SEEN.append(x)
        return x

    def reads(x):
        here.append(x)
        return len(here)

    before = [reads_of(f) for f in (counts, reads)]
    here.append(1.0)
    SEEN.append(1.0)
    assert reads_of(counts) == before[0]
    assert reads_of(reads) != before[1]


def test_functions_of_one_text_differ_by_closure_and_default():
    for make in (closure, with_default):
        assert reads_of(make(1.0)) == reads_of(make(1.0))
        assert reads_of(make(1.0)) != reads_of(make(2.0))
        assert reads_of(make(1)) != reads_of(make(1.0))


def test_installed_packages_are_known_by_name():
    assert reads_of(lambda x: jnp.where(x > 0, np.exp(x), jax.nn.relu(x))).found.keys() == {
        "code",
        "jnp",
        "np",
        "jax",
    }
    assert not reads_of(jsl.laws.chinchilla.function)


def recursive(x):
    return x if x < 1 else recursive(x - 1)


def test_a_function_that_calls_itself_ends():
    assert reads_of(recursive).found["recursive"] == "as the function"


# -- laws and plans ------------------------------------------------------------------------------
@jsl.law
def scaled(D, *, E=positive(0.5, 3), B=positive(1, 1e5), beta=positive(0.05, 1.5)):
    return E + SCALE * B * D**-beta


@pytest.fixture(scope="module")
def runs():
    D = np.geomspace(1e9, 1e12, 12)
    return jsl.Runs.from_columns(D=D, loss=1.7 + 400 * D**-0.3)


def test_a_fit_and_its_law_agree_after_a_global_changed(runs, monkeypatch):
    """y = E + S B D^-beta: with S a hundred times as large B is a hundredth, and the law gives the
    same losses.
    """
    objective = jsl.objectives.LogSquared()
    one = jsl.fit(scaled, runs, objective=objective, starts=8)
    np.testing.assert_allclose(scaled(1e10, E=1.7, B=400.0, beta=0.3), 1.7 + 400 * 1e10**-0.3)
    monkeypatch.setitem(here, "SCALE", 100.0)
    np.testing.assert_allclose(scaled(1e10, E=1.7, B=4.0, beta=0.3), 1.7 + 400 * 1e10**-0.3)
    two = jsl.fit(scaled, runs, objective=objective, starts=8)
    np.testing.assert_allclose(two.params["B"], one.params["B"] / 100.0, rtol=1e-6)
    np.testing.assert_allclose(two.law(runs["D"]), runs["loss"], rtol=1e-6)
    with pytest.raises(jsl.InputError, match=r"law scaled reads SCALE, which was 1.0 and is 100.0"):
        one.predict(np.full(3, 1e10))
    with pytest.raises(jsl.InputError, match=r"law scaled reads SCALE, which was 1.0 and is 100.0"):
        jax.jit(one.law)(1e10)


def test_a_law_does_not_arrive_where_it_reads_something_else(runs, monkeypatch):
    sent = pickle.dumps(jsl.fit(scaled, runs, starts=8).law)
    assert pickle.loads(sent).reads == pickle.loads(sent).reads
    monkeypatch.setitem(here, "SCALE", 3.0)
    with pytest.raises(jsl.InputError, match=r"law scaled reads SCALE, which was 1.0 and is 3.0"):
        pickle.loads(sent)


PRICE = 6.0


def test_a_cost_that_reads_a_global_is_asked_anew(monkeypatch):
    """The least cost of a loss is proportional to the price; the columns stay."""
    law = jsl.laws.chinchilla.published["besiroglu2024"]

    def cost(N, D):
        return PRICE * N * D

    one = jsl.allocate(law, target=2.0, cost=cost)
    monkeypatch.setitem(here, "PRICE", 12.0)
    two = jsl.allocate(law, target=2.0, cost=cost)
    np.testing.assert_allclose(two.cost, 2.0 * one.cost, rtol=1e-9)
    np.testing.assert_allclose(two["N"], one["N"], rtol=1e-6)
