"""Table: the runs that a fit sees, from whatever they came in.

Reading and checking columns, CSV files and data frames; rules that choose, average or weight rows
and say so (tuned, late, smoothed, balanced, anchors); what the runs span and how far beyond them
something lies; whether a task's scores can be predicted at all; the fingerprint of rows; simulated
tables. Another tracker's export is read here, and early checkpoints are dropped here. May import:
`ground`, `units`, `costs`, `formula`.
"""
