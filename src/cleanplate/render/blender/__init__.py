"""The only room that imports `bpy` (GPL); it lives in the worker's process and nowhere else."""
