"""What routes do, as it is configured: each action in a file of its own, with its keys and what comes of them."""
