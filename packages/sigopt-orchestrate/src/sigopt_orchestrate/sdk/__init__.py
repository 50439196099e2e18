"""Orchestrate from Python: experiments, trials of functions, ask and tell, scikit-learn."""
