"""SigOpt Orchestrate."""
