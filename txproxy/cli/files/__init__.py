"""Commands about configuration files: first ones, their form, and whether they are right."""
