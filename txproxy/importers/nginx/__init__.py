"""nginx's configuration as ours."""
