"""Other proxies' configurations, as ours."""
