"""For programs that are not trusted: credentials injection, honest tunnels, and questions to a person."""
