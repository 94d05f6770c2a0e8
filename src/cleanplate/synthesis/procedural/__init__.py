"""Procedural assets: plates (rooms, yards, table tops) and cutouts, generated from a seed.

textures -> solids (ray casting, exact depth) -> furniture -> procedural_scenes -> shading ->
`Plate`; figure_bodies -> procedural_figures -> `Cutout`. Same form as assets of the catalogue.
"""
