"""Selection: which law, which rows, which recipe.

Laws ranked by what they predict beyond cuts of scale, the same question asked of several tables and laws, two recipes
compared by their compute multiplier, and where their curves cross. Rankings of many recipes, as DataDecide does it, are in
`baselines`. May import: everything up to `plans`.
"""
