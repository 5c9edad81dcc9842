"""Code of their own that people name in a configuration: found, checked and made."""
