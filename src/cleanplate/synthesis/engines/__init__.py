"""Who makes the shards: processes of this machine, or a Ray cluster. The bytes are the same.

An engine is a function of a job and the numbers of its shards that yields a report of each when
it is made, in whatever order, and calls `watch` with the number of samples made so far.
"""
