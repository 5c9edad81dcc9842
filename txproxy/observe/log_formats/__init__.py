"""How a line of the access log is written: each format is compiled once, into one function."""
