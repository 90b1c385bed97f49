"""All and only what decides a score."""
