"""Scenes and subjects made from nothing but numbers: rooms, yards, table tops, figures, things.

textures -> solids (ray casting, exact depth) -> furniture -> scenes -> shading -> `Plate`;
figures -> `Cutout`. They have the same form as those of the catalogues.
"""
