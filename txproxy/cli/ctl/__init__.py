"""The verbs of ``txproxy ctl``."""
