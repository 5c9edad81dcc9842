"""What a client gets: the response of an upstream on its way to it, or an answer in place of one."""
