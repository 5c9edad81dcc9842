"""The conditions of access rules: what a rule may ask of a request."""
