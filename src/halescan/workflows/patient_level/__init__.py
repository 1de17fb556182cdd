"""The parts of `halescan patients`: what is read, dealt into folds, learned, decided, counted and written."""
