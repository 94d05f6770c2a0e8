"""Adjusted mattes, composites, previews and files of a result.

Takes a result; gives a new one or a picture, or writes files.
"""
