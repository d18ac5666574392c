"""`then`: a law and a link as one law, for a metric that was measured without the loss.

A chain needs the loss of every run. Where only the metric was kept, both stages have to be found
from it at once: the loss is then a number inside the formula that nobody has seen. What such a fit
determines is less: any change of the loss that the link takes back is invisible, so that a
sigmoid's slope and midpoint cannot be told from the scale and the offset of the loss.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from ..ground._errors import refuse
from ..ground._trees import Aside
from ..units import Unit, convert
from ._form import Form, find

Made = TypeVar("Made", bound=Form)  # a law gives a law


@dataclass(frozen=True)
class _Composed:
    """The formula of one run: the link of the first law's value. Equal by value, so that it
    compiles once.
    """

    first: Callable[..., Any]
    link: Callable[..., Any]
    columns: int  # of the first
    parameters: tuple[tuple[str, ...], tuple[str, ...]]
    units: tuple[Unit, Unit]

    def __call__(self, *columns: Any, **parameters: Any) -> Any:
        own, other = ({k: parameters[k] for k in names} for names in self.parameters)
        loss = self.first(*columns[: self.columns], **own)
        return self.link(convert(loss, *self.units), *columns[self.columns :], **other)

    def __reduce__(self) -> Any:
        places = [(f.__module__, f.__qualname__) for f in (self.first, self.link)]
        try:
            found = [find(*place).function for place in places]
        except (ImportError, AttributeError):
            found = []
        # of a notebook: a pickler that takes functions by value may go on
        if found != [self.first, self.link]:
            return _Composed, (self.first, self.link, self.columns, self.parameters, self.units)
        return _again, (*places, self.columns, self.parameters, self.units)


def _again(first: tuple[str, str], link: tuple[str, str], *rest: Any) -> _Composed:
    return _Composed(find(*first).function, find(*link).function, *rest)


def then(self: Made, link: Form) -> Made:
    """One law for the metric [unit of the link] from the columns of this one, with the parameters
    of both.

    Fixed values, ties and groups stay. Prefer a `chain` where the losses are known: with them the
    stages are fitted one by one and lose nothing, as long as a score follows the loss that its run
    has. Without them, fix what the link takes back, or the fit is FLAT: of a sigmoid in the loss
    its slope and midpoint. Raises InputError where both have a parameter or column of one name, or
    units do not fit.

    >>> import jaxscale as jsl
    >>> law = jsl.laws.chinchilla.then(jsl.laws.accuracy_from_loss.fix(k=4.0, x0=2.4))
    >>> print(str(law).replace(" -> ", "\\n-> "))
    Law accuracy_from_loss of chinchilla(N, D; E, A, B, alpha, beta, a, k (fixed), x0 (fixed), b)
    -> fraction (0 to 1)
    >>> round(float(law(1e9, 2e10, E=1.8, A=480.0, B=2100.0, alpha=0.35, beta=0.37, a=-0.6, b=0.9)),
    ...     4)
    0.5618

    Source: the single-step fits of Magnusson et al. 2025 [magnusson2025];
    `laws.accuracy_from_sizes` is one of them in fewer parameters. Not from the source: any two
    laws.
    """
    own, other = dict(self.specs), dict(link.specs)
    clash = sorted((set(own) & set(other)) | (set(self.columns) & set(link.columns[1:])))
    if clash:
        raise refuse(
            f"{self.name}.then({link.name}): both have {', '.join(clash)}",
            why="papers use the same letters",
            change="one of the two as a law of your own with other letters",
        )
    out, into = self.unit, link.column_units[0]
    if out.dimension and into.dimension and out.dimension != into.dimension:
        raise refuse(
            f"{self.name}.then({link.name}): {self.name} gives {out.name}, {link.columns[0]} is "
            f"{into.name}",
            why="the link is about something else",
            change="a link of what the first law gives",
        )
    function = _Composed(
        self.function, link.function, len(self.columns), (tuple(own), tuple(other)), (out, into)
    )
    return dataclasses.replace(
        self,
        function=function,
        columns=(*self.columns, *link.columns[1:]),
        column_units=(*self.column_units, *link.column_units[1:]),
        specs=(*self.specs, *link.specs),
        ties=tuple(sorted((*self.ties, *link.ties))),
        groups=tuple(sorted((*self.groups, *link.groups))),
        notes=Aside(name=f"{link.name} of {self.name}", unit=link.unit),
        fixed={**self.fixed, **link.fixed},
    )
