"""What the server answers: rows as the API's JSON objects."""
