"""What the sources say, and whether it is so."""
