"""What several processes share, whoever carries their messages: workers now."""
