"""Workflows: one recipe a job, called by the command line and from Python alike."""
