"""Pairs of plate and frame with known truth, and the protocols of predictors.

Takes folders of `NAME_plate`, `NAME_frame`, `NAME_alpha`; gives `Pair` objects. The protocols are
the structural types that evaluation, training and baselines share.
"""
