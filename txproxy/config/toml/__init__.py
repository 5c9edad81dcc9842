"""The configuration file: TOML, read whole, with all that is wrong in it found at once."""
