"""One request and its response, and what each passes on its way."""
