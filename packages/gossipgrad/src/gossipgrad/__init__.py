"""GossipGraD: data-parallel SGD whose communication per step does not grow with the ranks."""
