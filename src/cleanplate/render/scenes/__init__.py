"""Scenes to render, described without Blender: asset folder, interiors, outdoor scenes, table tops.

Takes the asset folder and a seed; gives a `SceneDescription`: models, slabs, and ranges for
light and cameras.
"""
