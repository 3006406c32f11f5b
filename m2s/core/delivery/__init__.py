"""What a message may become: states, retries, addresses."""
