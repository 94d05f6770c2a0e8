"""Inspection of a built set: reading, statistics, contact sheets, checks.

Takes a set's folder; gives figures, pictures and a list of faults.
"""
