"""Ingest of a user's own material: plates from photographs, cutouts from mattes and clips.

Takes photographs and mattes; gives plates with depth and intrinsics, and cutouts with a size.
"""
