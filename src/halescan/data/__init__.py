"""From a scan to images a detector can read, and the way back: profiles, masks, grids, cohorts and their parts."""
