"""What a step costs at any number of ranks: alpha-beta model, diffusion, stragglers, a picture."""
