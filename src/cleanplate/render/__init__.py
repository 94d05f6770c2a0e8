"""Pictures with exact truth, rendered with Blender from a folder of 3D assets.

Blender's Python module `bpy` is under the GPL. It is imported in `render.blender` alone,
and that room runs in a process of its own (`python -m cleanplate.render.blender_worker`), which is
handed a plan and hands back files: the rest of the package neither imports nor links it.
"""
