"""What makes Ferrogen answer to upstream's names; nothing else in the tree bends to them."""
