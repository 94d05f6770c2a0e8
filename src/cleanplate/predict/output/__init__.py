"""What is made of a result: adjusted mattes, composites, previews, files.

Takes a `Result`; gives pictures or writes files.
"""
