"""The only package that imports `bpy` (GPL); it is loaded in worker processes alone."""
