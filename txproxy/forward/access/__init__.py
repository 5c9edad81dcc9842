"""Who may use a forward proxy, and where to."""
