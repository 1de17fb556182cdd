"""Comparison: the parts of `halescan compare`, a cell being one method on one set with one seed."""
