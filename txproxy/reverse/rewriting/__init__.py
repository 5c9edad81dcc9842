"""What a route changes in requests and responses on their way."""
