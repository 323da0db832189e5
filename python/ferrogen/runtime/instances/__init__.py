"""The agents of a runtime: their types, construction, states and passivation."""
