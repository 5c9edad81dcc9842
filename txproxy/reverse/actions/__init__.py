"""What a route does with a request."""
