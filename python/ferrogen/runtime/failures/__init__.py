"""What follows a failed handler: retries, circuit breakers and supervision."""
