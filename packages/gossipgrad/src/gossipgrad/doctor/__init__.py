"""What this machine's MPI and torch can do, each answer with how it is known."""
