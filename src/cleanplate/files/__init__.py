"""File system operations: atomic writes, ownership, directory listing, JSON, locks, array files.

Functions take paths and bytes. Pictures are not decoded here; `picture_text` only adds and reads
the text chunk in a PNG or JPEG by which `ownership` recognises files written by this package.
"""
