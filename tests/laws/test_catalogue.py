"""Every number of the catalogue, and every source: from data files that name the law and the
evidence.

`tests/laws/catalogue/*.checks.tsv` has one line per expression: id, evidence, expression, value or
list of values, and optionally how far off a value may be (`1%`, or `2` for two units of its last
digit; half a unit otherwise). An expression sees the laws and rules of `jaxscale.laws`,
`schedules`, `allocate`, `jsl` and `np`. `*.ids.tsv` says for every source in `ids.txt` which laws
or rules stand for it, or after `-` why none does.
"""

import csv
import re
from pathlib import Path

import jax
import numpy as np
import pytest
from cases import LAWS

import jaxscale as jsl
from jaxscale import laws
from jaxscale.laws import _catalogue
from jaxscale.laws._papers import PAPERS

FOLDER = Path(__file__).parent / "catalogue"
# M: an example input to arithmetic
MARKS = {"V", "V2", "D", "CODE", "DATA", "PAPER", "DIGEST", "NOTE", "M"}


def lines(kind):
    for path in sorted(FOLDER.glob(f"*.{kind}.tsv")):
        for row in csv.reader(
            path.read_text().splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE
        ):
            if row and not row[0].startswith("#"):
                yield path.name, row


CHECKS = [row for _, row in lines("checks")]
IDS = {row[0]: row[1:] for _, row in lines("ids")}
SCOPE = {
    **{name: getattr(laws, name) for name in laws.__all__},
    "jsl": jsl,
    "allocate": jsl.allocate,
    "schedules": jsl.schedules,
    "np": np,
}


def values(text):
    """The numbers as printed."""
    return re.findall(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:e[-+]?\d+)?|inf|nan", text)


def allowed(printed, slack):
    """How far from the printed number a computed one may be."""
    if slack.endswith("%"):
        return abs(float(printed)) * float(slack[:-1]) / 100
    mantissa, _, exponent = printed.lower().partition("e")
    unit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
    return unit * (float(slack) if slack else 0.5) * (1 + 1e-6)


@pytest.mark.parametrize("name", sorted({row[0] for row in CHECKS}))
def test_catalogue_numbers(name):
    for _, evidence, expression, printed, *slack in (row for row in CHECKS if row[0] == name):
        assert set(evidence.replace(",", " ").split()) <= MARKS, evidence
        found = np.ravel(np.asarray(eval(expression, dict(SCOPE)), float))
        shown = values(printed)
        assert len(found) == len(shown), (expression, found, shown)
        for value, number in zip(found, shown, strict=True):
            off = allowed(number, slack[0].strip() if slack else "")
            assert value == float(number) or abs(value - float(number)) <= off, (
                expression,
                value,
                number,
                off,
            )


def test_catalogue_has_at_least_200_numbers():
    count = sum(len(values(row[3])) for row in CHECKS)
    print(f"{count} numbers of the catalogue in {len(CHECKS)} expressions")
    assert count >= 200


def test_catalogue_ids_are_complete():
    wanted = {
        line.strip()
        for line in (FOLDER / "ids.txt").read_text().splitlines()
        if line and not line.startswith("#")
    }
    assert wanted == set(IDS)
    for name, (stands, *reason) in IDS.items():
        if stands == "-":
            assert len("".join(reason)) > 10, f"{name} is left out without a reason"
        for item in stands.split() if stands != "-" else ():
            law, _, published = item.partition(":")
            assert law in laws.__all__ or hasattr(jsl.schedules, law) or hasattr(jsl.costs, law), (
                f"{name}: no {law}"
            )
            assert not published or published in getattr(laws, law).published, (
                f"{name}: no set {published}"
            )


def test_catalogue_every_rule_is_checked():
    told = " ".join(row[2] for row in CHECKS)
    unchecked = [
        k
        for k, v in _catalogue.items().items()
        if not isinstance(v, jsl.Law) and not re.search(rf"\b{k}\b", told)
    ]
    assert not unchecked, f"no line of tests/laws/catalogue calls {unchecked}"


@pytest.mark.parametrize("name", sorted(_catalogue.items()))
def test_catalogue_docstrings(name):
    """Units, source with its place, decision; a paper that can be cited; evidence that is never a
    recollection.
    """
    item = _catalogue.items()[name]
    assert "[" in _catalogue.summary(item), "the first line gives units"
    assert ">>>" in item.__doc__
    source = _catalogue._part(item, "Source")
    assert re.search(
        r"eq\. ?[\w.]+|table|appendix|section|abstract|code|notebook|definition|form as|derived",
        source,
    ), source
    assert _catalogue.decision(item), "Decides: ... is missing"
    assert _catalogue.sources(item), "no paper to cite"
    for entry in _catalogue.published(item).values():
        assert entry["source"]
        assert set(entry["evidence"].replace(",", " ").split()) <= set(_catalogue.EVIDENCE)


def test_catalogue_papers_are_all_used():
    used = {key for item in _catalogue.items().values() for key in _catalogue.sources(item)}
    used |= {
        key
        for key in PAPERS
        if any(
            PAPERS[key].arxiv in e["source"]
            for i in _catalogue.items().values()
            for e in _catalogue.published(i).values()
            if PAPERS[key].arxiv
        )
    }
    assert set(PAPERS) == used


def test_catalogue_laws_differ_by_more_than_names():
    """The jaxpr of a law with its letters taken away, and its units: where both are equal, one law
    has two names.
    """
    seen = {}
    for name, (law, _, columns) in LAWS.items():
        shape = _shape_of(law, columns)
        assert shape not in seen, f"{name} and {seen[shape]} differ only by names"
        seen[shape] = name


def _shape_of(law, columns):
    row = [jax.ShapeDtypeStruct(np.shape(columns[c])[1:], np.float32) for c in law.columns]
    params = [jax.ShapeDtypeStruct(spec.shape, np.float32) for _, spec in law.specs]
    names = [k for k, _ in law.specs]
    closed = jax.make_jaxpr(lambda r, p: law.function(*r, **dict(zip(names, p, strict=True))))(
        row, params
    )
    return re.sub(r"name=\w+", "", str(closed)), law.column_units, law.unit


def test_catalogue_median_law_is_short():
    lengths = sorted(
        len(_catalogue.formula(v).splitlines())
        for v in _catalogue.items().values()
        if isinstance(v, jsl.Law)
    )
    assert lengths[len(lengths) // 2] <= 8


@pytest.mark.parametrize(
    ("words", "first"),
    [
        ("moe", {"joint_moe", "routed_moe", "sparse_moe"}),
        ("mixture of experts", {"joint_moe", "routed_moe", "sparse_moe"}),
        ("repeated data", {"data_constrained"}),
        ("critical batch size", {"critical_batch"}),
        ("pass@k", {"pass_at_k", "coverage"}),
        ("learning rate", {"learning_rate"}),
        ("quantization", {"post_training_quantization", "quantization_degradation"}),
        ("vocabulary size", {"vocabulary"}),
        ("data mixture", {"data_mixing"}),
        ("fine-tuning", {"finetuning"}),
        ("distillation", {"distillation"}),
        ("precision", {"precision"}),
    ],
)
def test_catalogue_find_puts_the_obvious_first(words, first):
    assert laws.find(words)[0].__name__ in first


def test_catalogue_find():
    """Hyphens, underscores and plurals do not matter; what is not there says so in a sentence."""
    for words in ("learning-rate schedules", "learning rate schedule", "learning_rate schedule"):
        assert "annealing" in [item.__name__ for item in laws.find(words)]
    assert {"sparse_moe", "joint_moe", "fine_grained_moe", "routed_moe"} <= {
        item.__name__ for item in laws.find("moe")
    }
    with pytest.raises(ValueError, match="Did you mean 'sparsity'") as error:
        laws.find("sparsitty")
    assert len(str(error.value)) < 300
    with pytest.raises(TypeError, match=r"(?s)'mup' is no law.*a rule has nothing to fit"):
        jsl.fit(laws.mup, None)
