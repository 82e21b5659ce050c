"""Low-rank background plus sparse target, on patch matrices and patch tensors."""
