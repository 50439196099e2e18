"""From the API's experiments to the optimiser and back; every suggestion is a valid one."""
