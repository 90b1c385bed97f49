"""What decides a verdict."""
