"""What policy knows of a request, and what a request becomes on its way to an origin."""
