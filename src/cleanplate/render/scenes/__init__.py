"""Scenes to render, described without Blender: the asset folder, rooms, yards, table tops.

Takes the asset folder and a seed; gives a `Setting`: models, slabs, light and camera ranges.
"""
