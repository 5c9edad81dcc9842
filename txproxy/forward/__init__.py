"""Forward mode: on the clients' side, towards any origin that policy allows."""
