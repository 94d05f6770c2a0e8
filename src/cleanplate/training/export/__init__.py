"""Export: a run's averaged weights as ONNX graphs with a model card.

Takes a run folder; writes graphs that were compared with torch first.
"""
