"""The pipeline's stages: thin commands, paths in, paths out."""
