"""Real sweeps by name: `datasets.load("hoffmann2022")`.

Small tables typed from publications and simulated sweeps with known truth are part of the package.
Everything else is a file of somebody else: it is looked for under `$JAXSCALE_DATA_DIR`, then
fetched from its source at a fixed commit (extra `data`), and accepted only with the right SHA-256.
Tables that had to be extracted or converted are local only. No third-party file is part of the
package. May import: `ground`, `units`, `costs`, `table`, `schedules`, `laws`.
"""

from ._load import describe, load, names

__all__ = ["describe", "load", "names"]
