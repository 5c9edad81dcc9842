"""What short functions of people see of a request and of its response: texts, in place of bytes."""
