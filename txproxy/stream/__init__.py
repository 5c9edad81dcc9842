"""The tcp mode: raw streams to the same pools, no HTTP."""
