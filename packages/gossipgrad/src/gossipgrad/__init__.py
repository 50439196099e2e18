"""GossipGraD: data-parallel SGD whose communication per step does not grow with the number of ranks."""
