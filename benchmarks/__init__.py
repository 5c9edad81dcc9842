"""Side by side measurements of txproxy and other proxies: ``python -m benchmarks``."""
