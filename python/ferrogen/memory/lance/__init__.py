"""Memory in a LanceDB folder."""
