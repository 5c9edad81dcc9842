"""Who a client is: credentials, and the files and checkers that know them."""
