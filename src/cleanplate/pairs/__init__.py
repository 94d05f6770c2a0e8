"""Pairs with truth, and what is asked of whoever answers them.

Takes folders of `NAME_plate`, `NAME_frame`, `NAME_alpha`; gives `Pair` objects. The protocols are
the structural types that evaluation, training and baselines share.
"""
