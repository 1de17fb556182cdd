"""How every detector learns: one loop, its schedule, its checkpoints, its history, and the folder a model ends in."""
