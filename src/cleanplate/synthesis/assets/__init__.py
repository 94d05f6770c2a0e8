"""Assets: plates and cutouts as arrays, their folders, licences and split.

Takes folders; gives `Plate` and `Cutout`. Everything else in `synthesis` is built on it.
"""
