"""Cameras of rendered scenes: drawn, aimed, and the places where subjects may stand in view.

Takes a scene's description and, later, its depth; gives camera poses and standing points.
"""
