"""Components: objects that can be written down as a config, and made again from it."""
