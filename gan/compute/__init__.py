"""Where runs run and are kept."""
