"""Training of the regressor of the subject's depth (`predict.geometry.subject_depth`).

Takes mattes and disparity of composites and pairs; writes a small table of trees or weights.
"""
