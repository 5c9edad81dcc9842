"""What is put together of a mode and its middleware, and what that has to keep in mind."""
