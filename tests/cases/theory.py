"""Cases of jaxscale/laws/theory.py: it has rules only."""

LAWS = {}
