"""Names to addresses: the resolver, the name servers that it asks, and the files that say which."""
