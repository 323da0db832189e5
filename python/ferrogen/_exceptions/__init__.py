"""The exceptions of `ferrogen.exceptions`, by subject."""
