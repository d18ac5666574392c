"""Chains: from compute to what people care about, one stage after another.

A law for the loss and links from that loss to a metric, their units and shared runs, and the uncertainty of all stages
together. May import: everything up to `uncertainty`.
"""
