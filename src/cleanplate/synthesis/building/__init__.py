"""Building a data set: a plan fixed before the first sample, then shards, then its card.

Takes a build request; writes shards or folders whose bytes depend on the plan alone.
"""
