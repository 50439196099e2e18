"""The dashboard: its files, and the views that they draw, made small enough by the server."""
