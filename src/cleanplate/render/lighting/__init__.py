"""Light of rendered scenes: lamps, skies and sun, and the exposure of what they light.

Takes a scene's description and a seed; gives lamps. Takes linear radiance; gives sRGB.
"""
