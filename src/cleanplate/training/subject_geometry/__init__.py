"""Training of the subject depth regressor (`cleanplate.predict.geometry.subject_depth`).

Takes alpha and disparity of composites and pairs; writes the weights of small networks.
"""
