"""Test pairs of plate and frame with ground truth, and the protocols of predictors.

`pair_files` reads folders of `NAME_plate`, `NAME_frame`, `NAME_alpha` files into `Pair` objects.
`protocols` has the structural types shared by evaluation, training and baselines.
"""
