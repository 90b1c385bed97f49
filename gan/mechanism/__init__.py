"""What goes on in training, measured: why one objective learns and another does not."""
