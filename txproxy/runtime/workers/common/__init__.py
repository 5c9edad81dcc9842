"""What workers have in common: keys, shares, and what each tells the others."""
