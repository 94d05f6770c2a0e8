"""Rendering of plates, cutouts and pairs with Blender from a folder of 3D assets, with exact truth.

Blender's Python module `bpy` is under the GPL. It is imported in `render.blender` alone, which
runs in processes of its own (`python -m cleanplate.render.blender_worker`): they get a job as
JSON and write files. The rest of the package neither imports nor links it.
"""
