"""Training data: where samples come from, in which order, and how they become batches.

Takes a recipe; gives `Batch` tensors, the same for each step whatever the number of workers.
"""
