"""Many frames of one plate: which files are frames, the job, and its worker processes.

Takes paths of files, folders and patterns; writes the files of each result.
"""
