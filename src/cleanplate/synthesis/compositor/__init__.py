"""The compositor: one plate and its subjects to one sample with exact ground truth.

view -> subject_sampling -> placement -> layer -> occlusion -> shadow -> camera_effects. Takes
assets, settings and a seed; gives a `Sample`.
"""
