"""What features say of their own configuration, for those who read it: settings, and components by their names."""
