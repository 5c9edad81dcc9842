"""Numbers for Prometheus and whoever reads its text."""
