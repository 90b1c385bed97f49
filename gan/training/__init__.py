"""All and only what decides a weight."""
