"""Training data: sources of samples, their order, augmentation of pairs, and batches.

Takes a recipe; gives `Batch` tensors, the same for each step whatever the number of workers.
"""
