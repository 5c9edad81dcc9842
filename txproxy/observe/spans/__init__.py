"""Spans of OpenTelemetry: what they are made of, and how they go to a collector."""
