"""The plate brought to the frame: plate health, registration, exposure.

Takes a plate and a frame; gives what was measured (`Health`), whether the plate is usable, and the
plate as the frame's camera would have seen it (`AlignedPlate`).
"""
