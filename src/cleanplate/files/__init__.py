"""Files on disk, whatever is in them: whole writes, ownership, folders, JSON, locks.

Takes paths and bytes; knows nothing of pictures but the text inside a PNG or JPEG by which
`ownership` recognises files that this package wrote.
"""
