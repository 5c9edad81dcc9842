"""Squid's configuration as ours."""
