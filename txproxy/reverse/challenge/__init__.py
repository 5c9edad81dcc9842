"""Requests that have to bring a proof first, and how a browser gets one."""
