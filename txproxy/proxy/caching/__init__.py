"""A cache at work: what fills it, and what clients get of it. What may be kept is txproxy.cache's to say."""
