"""Laws with one value per group: nothing is silently shared, dropped or read as 0."""

import numpy as np
import pytest

import jaxscale as jsl
from jaxscale.laws import chinchilla

FAMILY = np.repeat(["a", "b", "c", "d"], 9)
E = {"a": 1.5, "b": 1.7, "c": 1.9, "d": 2.1}
N = np.tile(np.repeat(np.geomspace(1e8, 1e10, 3), 3), 4)
D = np.tile(np.geomspace(2e9, 2e11, 3), 12)
LOSS = np.array([E[f] for f in FAMILY]) + 400 * N**-0.34 + 1100 * D**-0.33
NOISE = np.exp(1e-3 * np.random.default_rng(0).standard_normal(36))


@pytest.fixture(scope="module")
def fit():
    runs = jsl.Runs.from_columns(N=N, D=D, loss=LOSS * NOISE, groups={"family": FAMILY})
    return jsl.fit(chinchilla.per(E="family"), runs)


def test_the_same_grid_in_every_family_is_enough(fit):
    """9 points of (N, D) in 4 families are 36 distinct runs."""
    np.testing.assert_allclose(fit.params["E"], list(E.values()), rtol=0.05)


def test_a_plan_is_for_a_group_by_label_or_code(fit):
    by_label = jsl.allocate(fit, 1e21, given={"family": "b"})
    by_code = jsl.allocate(fit, 1e21, given={"family": 1})
    assert by_label.loss == by_code.loss
    assert by_label.status == 0
    with pytest.raises(ValueError, match="there are 4 groups"):
        jsl.allocate(fit, 1e21, given={"family": 7})
    with pytest.raises(jsl.InputError, match="for which group"):
        jsl.allocate(fit, 1e21)


def test_fixed_values_must_be_one_per_group(fit):
    law = chinchilla.per(E="family").fix(E=np.array([1.8, 1.9]))
    with pytest.raises(jsl.InputError, match="fixed to 2 values, the table has 4 groups"):
        jsl.fit(law, fit.problem.runs)


@pytest.mark.filterwarnings("ignore:fewer than 10")
def test_a_resample_that_cannot_vary_is_refused(fit):
    with pytest.raises(jsl.InputError, match="every resample would be the table itself"):
        jsl.bootstrap(fit, 10, by="family")


def test_a_pinned_column_meets_its_conditions():
    plan = jsl.allocate(chinchilla.published["hoffmann2022"], 1e22, bounds={"N": (1e9, 1e9)})
    assert plan.status == 0
    np.testing.assert_allclose(plan["D"], 1e22 / 6e9)


def test_given_arguments_are_never_ignored():
    law = chinchilla.published["hoffmann2022"]
    with pytest.raises(jsl.InputError, match="is given and chosen"):
        jsl.allocate(law, 1e22, over=("N", "D"), given={"D": 1e12})
    with pytest.raises(jsl.InputError, match="nothing reads given 'typo'"):
        jsl.allocate(law, 1e22, given={"typo": 3.0})


def test_the_longest_ladder_fits():
    from jaxscale._lanes import LADDER

    for scale in (1.0, 1e10, 1e30):
        ladder = jsl.objectives.Huber(1e-3).smoother(scale)
        assert len(ladder) <= LADDER
        assert float(ladder[-1].delta) == 1e-3
