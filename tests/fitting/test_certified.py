"""Published fits on the tables of the registry: each case of `tests/fitting/certified/*.json` is
fitted and compared.

A file is a list of cases. What a case says:

- `name`, `source`, `evidence` (as in the catalogue: CODE, DATA, ...), free text in `note`;
- the table: `table`, `rows` ("default"), `n` rows expected, `columns` {new: old} where the law has
  other letters than the table, `where` {column: [low, high]} keeps low <= column < high, `keep`
  {group: labels}, `warns` a pattern where reading warns;
- the law: `law` by name, then `sized`, `fix`, `tie`, `per` and `start` as its methods take them;
- the fit: `objective` ["Huber", 0.001], `starts`, `status` ("OK"; with a + behind, others may hold
  too), `agree` the least share of starts that agree;
- the figures: `objective_is` how the paper adds up ("sum", "mean", "sum of squares", "mean square",
  "rms"), `figure` the published value, which must be reached, `value` what the best fit has,
  `least` below which a value is a slip;
- `params` of the best fit; `at` [{"N": 1e9, ..., "value": "2.31"}] what it predicts;
- `published`, a set of the law by name or a dict, and `at_published`, the objective there;
  `judged`: no more than that.

Numbers to compare with are strings of printed digits, equal to half a unit of the last digit, or
[number, relative tolerance].
"""

import json
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxscale as jsl
from jaxscale.datasets._registry import REGISTRY

FOLDER = Path(__file__).parent / "certified"
TOTALS = {
    "sum": lambda total, n: total,
    "mean": lambda total, n: total / n,
    "sum of squares": lambda total, n: 2 * total,  # objectives have a half in front of the square
    "mean square": lambda total, n: 2 * total / n,
    "rms": lambda total, n: np.sqrt(2 * total / n),
}


def cases():
    for path in sorted(FOLDER.glob("*.json")):
        for case in json.loads(path.read_text()):
            if "law" not in case:  # the cases of test_fit.py
                continue
            entry = REGISTRY.get(case["table"])
            marks = [pytest.mark.real] if entry and entry.files else []
            yield pytest.param(case, id=f"{path.stem}: {case['name']}", marks=marks)


def table(case):
    """The rows of a case, in the letters of its law."""
    if "warns" in case:
        with pytest.warns(jsl.JaxscaleWarning, match=case["warns"]):
            runs = jsl.datasets.load(case["table"], rows=case.get("rows", "default"))
    else:
        runs = jsl.datasets.load(case["table"], rows=case.get("rows", "default"))
    for column, (low, high) in case.get("where", {}).items():
        runs = runs.where((runs[column] >= low) & (runs[column] < high))
    for group, labels in case.get("keep", {}).items():
        runs = runs.where(np.isin(runs[group], labels))
    if not (names := case.get("columns")):
        return runs
    names = {**names, runs.target_name: runs.target_name}
    columns, units = (
        {new: runs[old] for new, old in names.items()},
        {new: runs.units[old] for new, old in names.items()},
    )
    groups = {g: runs[g] for g in runs.groups}
    return jsl.Runs.from_columns(
        **columns, target=runs.target_name, weights=runs.weights, groups=groups, units=units
    )


def law_of(case):
    law = getattr(jsl.laws, case["law"])
    law = (
        law.sized(**case.get("sized", {}))
        .fix(**case.get("fix", {}))
        .tie(**case.get("tie", {}))
        .per(**case.get("per", {}))
    )
    return law.start(**{k: tuple(v) for k, v in case.get("start", {}).items()})


def objective_of(case):
    name, *numbers = case["objective"]
    return getattr(jsl.objectives, name)(*numbers)


def off(wanted):
    """(number, how far a value may be from it)."""
    if isinstance(wanted, str):
        mantissa, _, exponent = wanted.lower().partition("e")
        return float(wanted), 0.5001 * 10.0 ** (
            int(exponent or 0) - len(mantissa.partition(".")[2])
        )
    number, relative = wanted
    return float(number), abs(number) * relative


def same(found, wanted, what):
    # a vector, entry by entry
    if isinstance(wanted, list) and not (len(wanted) == 2 and isinstance(wanted[1], float)):
        assert np.shape(found) == (len(wanted),), what
        for i, w in enumerate(wanted):
            same(found[i], w, f"{what}[{i}]")
        return
    number, slack = off(wanted)
    assert abs(float(found) - number) <= slack, (what, float(found), wanted)


@pytest.mark.parametrize("case", list(cases()))
def test_certified(case):
    runs, law, objective = table(case), law_of(case), objective_of(case)
    total = TOTALS[case.get("objective_is", "sum")]
    assert len(runs) == case["n"]

    if "at_published" in case:
        known = case["published"]
        if isinstance(known, str):
            known = getattr(jsl.laws, case["law"]).published[known].params
        predicted = law.fix(**known)(*(runs[c] for c in law.columns))
        with jax.enable_x64(True):  # an objective called by itself computes as JAX is set
            at = float(
                np.sum(np.asarray(runs.weights) * np.asarray(objective(predicted, runs.target)))
            )
        same(total(at, len(runs)), case["at_published"], "objective at the published point")
        if case.get("judged"):
            return

    fit = jsl.fit(law, runs, objective=objective, starts=case.get("starts", 64))
    value = total(float(fit.value), len(runs))
    status = case.get("status", "OK")
    expected = jsl.Status(sum(jsl.Status[s] for s in status.rstrip("+").split("|")))
    assert expected in fit.status if status.endswith("+") else expected == fit.status, (
        fit.certificate.findings
    )
    if "figure" in case:
        number, slack = off(case["figure"])
        assert value <= number + slack, "the published objective is not reached"
    if "value" in case:
        same(value, case["value"], "objective")
    assert value >= case.get("least", -np.inf), "an objective this low is a slip of arithmetic"
    for k, wanted in case.get("params", {}).items():
        same(fit.params[k], wanted, k)
    for point in case.get("at", ()):
        where = {k: v for k, v in point.items() if k != "value"}
        same(fit.law(*(where[c] for c in law.columns)), point["value"], where)
    assert fit.certificate.starts_agreed >= case.get("agree", 0.0) * fit.certificate.starts_drawn
