"""Laws: formulas from the literature, each in the letters of its paper, with published coefficients
and their source.

`laws.chinchilla(N, D, ...)` evaluates, `laws.chinchilla.published["hoffmann2022"]` is a bound law,
and any law is a template for your own: copy the function, change the formula. `laws.find("moe")`
searches, `laws.describe(law)` tells all that is known about one, `laws.cite(law)` gives BibTeX.
Rules, which have no parameters to fit, are functions. A new law of the literature is one function
in the file of its topic. May import: `ground`, `units`, `formula`.
"""

from . import (
    allocation,
    architecture,
    batch,
    compression,
    data,
    downstream,
    experts,
    hyperparameters,
    inference,
    loss,
    mixture,
    multimodal,
    observational,
    ranking,
    reinforcement,
    robustness,
    sampling,
    theory,
    training,
    transfer,
    translation,
)
from ._catalogue import cite, describe, find
from .allocation import *
from .architecture import *
from .batch import *
from .compression import *
from .data import *
from .downstream import *
from .experts import *
from .hyperparameters import *
from .inference import *
from .loss import *
from .mixture import *
from .multimodal import *
from .observational import *
from .ranking import *
from .reinforcement import *
from .robustness import *
from .sampling import *
from .theory import *
from .training import *
from .transfer import *
from .translation import *

__all__ = ["cite", "describe", "find"]
__all__ += loss.__all__
__all__ += allocation.__all__
__all__ += experts.__all__
__all__ += architecture.__all__
__all__ += downstream.__all__
__all__ += ranking.__all__
__all__ += translation.__all__
__all__ += observational.__all__
__all__ += sampling.__all__
__all__ += inference.__all__
__all__ += transfer.__all__
__all__ += mixture.__all__
__all__ += multimodal.__all__
__all__ += theory.__all__
__all__ += batch.__all__
__all__ += hyperparameters.__all__
__all__ += reinforcement.__all__
__all__ += robustness.__all__
__all__ += training.__all__
__all__ += compression.__all__
__all__ += data.__all__
