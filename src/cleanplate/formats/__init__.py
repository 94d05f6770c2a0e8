"""File formats: bytes of a picture file to arrays and back.

Takes files, gives (H, W, 3) RGB arrays, sRGB-coded, upright. To add a format, begin with
`signatures` (what the bytes are) and `decoding` (how they become an array).
"""
