"""A page for people: what the admin API tells, in pictures, and what it does, by buttons."""
