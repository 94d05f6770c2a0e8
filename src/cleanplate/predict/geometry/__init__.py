"""Depth by geometry: the plate's disparity, the subjects, and how near each of them is.

Takes alpha and disparity at working size; gives disparity of the frame, in metres where the
plate's depth is metric.
"""
