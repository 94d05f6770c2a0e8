"""Picture file formats: reading files into arrays and writing arrays to files.

Files are decoded to (H, W, 3) RGB arrays, uint8 or uint16, sRGB-coded, upright. To add a format,
start with `signatures` (format detection) and `decoding` (bytes to array).
"""
