"""Training of networks: patches, progress, checkpoints."""
