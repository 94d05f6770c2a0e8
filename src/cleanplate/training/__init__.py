"""Training: networks, losses, data, the run, and export to ONNX. Needs the extra `train`.

Takes a recipe and folders of data; gives a run folder with checkpoints, and a model from it.
"""
