"""The clients' side of the machine: who is admitted, and the protocols that clients speak."""
