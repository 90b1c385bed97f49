"""The objectives on two games whose truth is known."""
