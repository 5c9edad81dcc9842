"""What becomes of what is stored, once the origin has said more, or a client has changed something."""
