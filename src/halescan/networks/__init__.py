"""Plain torch parts: tensors in, tensors out; no files, no training."""
