"""A soak program: random messages through the public API, with a ledger of its own."""
