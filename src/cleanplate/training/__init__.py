"""Networks, losses, data and the training run. Needs the extra `train`."""
