"""Forecasts: on record before the run, scored after it.

The forecast, its file (written once, refused when altered), its score, the ledger of a directory, and hindsight: would the
smaller runs have predicted the largest one? May import: everything up to `uncertainty`, and `laws`.
"""
