"""Assets from what people have: photographs, clips, pictures with alpha.

Takes photographs and mattes; gives plates with depth and intrinsics, and cutouts with a size.
"""
