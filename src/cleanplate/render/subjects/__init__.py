"""Subjects to render: which one, its pose, and the views from which it is seen.

Takes the asset folder and a seed; gives poses as joint angles and cutout views.
"""
