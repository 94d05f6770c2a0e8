"""Studies on top of the package; nothing of the package imports them."""
