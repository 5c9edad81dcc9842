"""What people type: the ``txproxy`` command, its demonstration, and the options of each mode."""
