"""What callers send, as validated values; every refusal names the field."""
