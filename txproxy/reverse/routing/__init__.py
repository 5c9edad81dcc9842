"""From a request to the route that is taken."""
