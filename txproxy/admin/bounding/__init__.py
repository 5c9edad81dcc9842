"""What the admin API says of limits and quotas, and a new beginning of either."""
