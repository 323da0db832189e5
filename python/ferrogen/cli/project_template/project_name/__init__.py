"""An assistant that looks up the weather before it answers."""
