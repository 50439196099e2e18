"""Streams of tasks: where the samples come from and how a task is cut out of them."""
