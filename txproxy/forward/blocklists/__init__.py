"""Block lists: files of hosts and of URL patterns."""
