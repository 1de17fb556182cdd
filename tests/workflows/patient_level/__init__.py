"""Tests of the parts of `halescan patients`."""
