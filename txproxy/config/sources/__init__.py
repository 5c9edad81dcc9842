"""What a configuration is read from: texts, places in them, and values that stand elsewhere."""
