"""Model contexts that recall memories and compact long conversations."""
