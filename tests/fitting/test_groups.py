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
    from jaxscale.fitting._lanes import LADDER

    for scale in (1.0, 1e10, 1e30):
        ladder = jsl.objectives.Huber(1e-3).smoother(scale)
        assert len(ladder) <= LADDER
        assert float(ladder[-1].delta) == 1e-3


# -- many groups ---------------------------------------------------------------------------------
@jsl.law
def power(
    D: jsl.units.Tokens,
    *,
    E=jsl.positive(0.5, 3),
    B=jsl.positive(10, 1e5),
    beta=jsl.positive(0.05, 1),
) -> jsl.units.Nats:
    return E + B * D**-beta


GROUPS = 40


@pytest.fixture(scope="module")
def families():
    rng = np.random.default_rng(0)
    size = rng.integers(10, 25, GROUPS)
    d = np.exp(rng.uniform(np.log(1e8), np.log(1e11), size.sum()))
    e, b = (
        np.repeat(rng.uniform(1.5, 2.2, GROUPS), size),
        np.repeat(np.exp(rng.uniform(4, 6, GROUPS)), size),
    )
    loss = (e + b * d**-0.3) * np.exp(0.003 * rng.standard_normal(len(d)))
    return jsl.Runs.from_columns(
        D=d, loss=loss, groups={"family": np.repeat([f"f{i:02d}" for i in range(GROUPS)], size)}
    )


@pytest.mark.parametrize(
    "objective",
    [jsl.objectives.LogSquared(), jsl.objectives.LogHuber(1e-3)],
    ids=["squared", "huber"],
)
def test_many_groups_share_an_exponent(families, objective):
    """81 coordinates: each group has what it has alone at the shared exponent, and the exponent is
    stationary.
    """
    fit = jsl.fit(power.per(E="family", B="family"), families, objective=objective)
    assert fit.ok, fit.certificate.findings
    assert fit.params["E"].shape == (GROUPS,)
    assert fit.params["beta"].shape == ()
    tables = [families.where(families["family"] == label) for label in families.labels["family"]]
    alone = jsl.fit(power.fix(beta=fit.params["beta"]), tables, objective=objective, starts=16)
    for name in ("E", "B"):
        np.testing.assert_allclose(fit.params[name], alone.params[name], rtol=1e-8)
    np.testing.assert_allclose(fit.value, alone.value.sum(), rtol=1e-10)
    for step in (-1e-4, 1e-4):
        moved = jsl.fit(
            power.fix(beta=fit.params["beta"] * (1 + step)), tables, objective=objective, starts=16
        )
        assert moved.value.sum() > fit.value
    assert fit.certificate.starts_drawn == 8
    # 81 coordinates can be looked at like those of any fit
    if objective == jsl.objectives.LogSquared():
        assert jsl.interval(fit)["beta"].kind == "hc3"
        here = jsl.interval(fit, of=lambda law: law(D=1e12, family=7), kind="laplace", log=True)
        assert here.low < fit.predict(D=1e12, family=["f07"]) < here.high
    one = fit.predict(D=1e10, family=["f07"])
    np.testing.assert_allclose(
        one, fit.params["E"][7] + fit.params["B"][7] * 1e10 ** -fit.params["beta"]
    )


def test_many_groups_against_scipy(families):
    """The joint least squares of 81 parameters, by scipy, and the deviation of the exponent from
    its Jacobian.
    """
    from scipy.optimize import least_squares

    fit = jsl.fit(
        power.per(E="family", B="family"), families, objective=jsl.objectives.LogSquared()
    )
    code, d, loss = np.asarray(families.groups["family"]), families["D"], families["loss"]

    def residual(v):
        e, b, beta = np.exp(v[:GROUPS]), np.exp(v[GROUPS:-1]), np.exp(v[-1])
        return np.log(e[code] + b[code] * d**-beta) - np.log(loss)

    start = np.log([*np.full(GROUPS, 1.8), *np.full(GROUPS, 150.0), 0.3])
    found = least_squares(residual, start, xtol=1e-14, ftol=1e-14, gtol=1e-14)
    np.testing.assert_allclose(fit.value, found.cost, rtol=1e-9)
    np.testing.assert_allclose(fit.params["beta"], np.exp(found.x[-1]), rtol=1e-6)
    covariance = np.linalg.inv(found.jac.T @ found.jac)
    scale = fit.certificate.residual_scale * np.sqrt(len(d) / (len(d) - len(start)))
    wanted = scale * np.sqrt(np.diagonal(covariance))
    np.testing.assert_allclose(fit.certificate.deviation["beta"], wanted[-1], rtol=1e-4)
    np.testing.assert_allclose(fit.certificate.deviation["E[f03]"], wanted[3], rtol=1e-4)


def test_many_groups_that_share_nothing_are_fits_of_their_own(families):
    fit = jsl.fit(power.fix(beta=0.3).per(E="family", B="family"), families)
    tables = [families.where(families["family"] == label) for label in families.labels["family"]]
    alone = jsl.fit(power.fix(beta=0.3), tables, starts=16)
    np.testing.assert_allclose(fit.params["E"], alone.params["E"], rtol=1e-8)


def test_deviations_of_many_groups_are_those_of_the_objective():
    """Spread of the exponent over 60 simulated tables against the mean deviation, within three
    errors of such a spread.

    Of squares and of a Huber loss far narrower than the noise, whose estimates scatter a quarter
    more.
    """
    rng, groups, worlds = np.random.default_rng(4), 16, 60
    d = np.tile(np.geomspace(1e8, 1e11, 12), groups)
    clean = (
        np.repeat(rng.uniform(1.5, 2.2, groups), 12)
        + np.repeat(rng.uniform(60, 300, groups), 12) * d**-0.3
    )
    labels = {"family": np.repeat([f"f{i:02d}" for i in range(groups)], 12)}
    noise = np.exp(0.01 * rng.standard_normal((worlds, len(d))))
    tables = [jsl.Runs.from_columns(D=d, loss=clean * e, groups=labels) for e in noise]
    for objective in (jsl.objectives.LogSquared(), jsl.objectives.LogHuber(1e-3)):
        fits = [
            jsl.fit(power.per(E="family", B="family"), table, objective=objective, starts=32)
            for table in tables
        ]
        spread = np.std([np.log(f.params["beta"]) for f in fits], ddof=1)
        said = np.mean([f.certificate.deviation["beta"] for f in fits])
        assert abs(spread / said - 1) < 3 / np.sqrt(2 * worlds) + 0.05


def test_many_groups_go_on_where_they_stopped(families, tmp_path):
    once = jsl.fit(power.per(E="family", B="family"), families, starts=32, directory=tmp_path)
    again = jsl.fit(power.per(E="family", B="family"), families, starts=32, directory=tmp_path)
    assert again.value == once.value
    assert again.work.resumed == GROUPS


def test_a_small_group_is_named(families):
    own = families["family"] == "f05"
    few = families.where(~own | (families["loss"] == families["loss"][own].min()))
    with pytest.raises(
        jsl.InputError, match="family 'f05': 1 distinct runs for 2 parameters of its own"
    ):
        jsl.fit(power.per(E="family", B="family"), few)


def test_what_takes_all_groups_at_once_says_so(families):
    loss = np.tile([3.0, 2.7, 2.6], 300) * np.exp(1e-3 * np.sin(np.arange(900)))
    groups = {"family": np.repeat(np.arange(300), 3)}
    many = jsl.Runs.from_columns(D=np.tile([1e9, 4e9, 1e10], 300), loss=loss, groups=groups)
    fit = jsl.fit(power.fix(beta=0.3).per(E="family", B="family"), many)
    with pytest.raises(jsl.InputError, match="600 free parameters in one solve"):
        jsl.bootstrap(fit, 10)
    found = jsl.interval(fit)
    assert found["E"].low.shape == (300,)
    assert np.all(found["E"].low < fit.params["E"])
    report = jsl.report(fit)
    assert "the middle of 300 values, one per family" in report
    assert report.splitlines()[0].startswith("power(D) -> nats/token")


def test_a_new_family_with_one_run_borrows_the_exponents_of_others():
    """Its own E from one run, the rest from four families: 95 % intervals of its loss at 30x cover
    200 simulated worlds.

    Coverage within three binomial errors of .95: a false alarm in about one of 400 correct
    implementations.
    """
    rng, worlds, noise = np.random.default_rng(5), 200, 0.003
    family = [*np.array(["a", "b", "c", "d"]).repeat(9).tolist(), "new"]
    n, d = np.append(N, 3e9), np.append(D, 6e10)
    e = np.array([E.get(f, 1.62) for f in family])
    clean = e + 400 * n**-0.34 + 1100 * d**-0.33
    tables = [
        jsl.Runs.from_columns(
            N=n,
            D=d,
            loss=clean * np.exp(noise * rng.standard_normal(37)),
            groups={"family": family},
        )
        for _ in range(worlds)
    ]
    law = chinchilla.per(E="family").start(A=(100, 1000), B=(300, 3000))
    fits = jsl.fit(law, tables, objective=jsl.objectives.LogSquared(), starts=4)
    truth = 1.62 + 400 * 2e10**-0.34 + 1100 * 4e11**-0.33
    found = jsl.interval(
        fits, of=lambda law: law(N=2e10, D=4e11, family=4), kind="laplace", log=True
    )
    inside = np.mean((found.low <= truth) & (truth <= found.high))
    assert abs(inside - 0.95) < 3 * np.sqrt(0.95 * 0.05 / worlds)
    assert np.median(found.high / found.low) < np.exp(2 * 1.96 * 3 * noise)  # and say something
