"""Where work is done: processes of this machine, or tasks of a Ray cluster.

`local_pool` and `ray_cluster` take the same tasks and give the same results; `cores` tells how
many processor cores there are for them.
"""
