"""The runtime: accepts, delivers and settles messages."""
