"""Scoring: from a detector's raw map to a score, a p-value, findings, and a warning when scans differ."""
