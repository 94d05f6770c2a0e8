"""Export of a run's averaged weights: ONNX graphs with a model card, or half-precision weights.

Takes a run folder or a checkpoint; graphs are compared with torch before anything is written.
"""
