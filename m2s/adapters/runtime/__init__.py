"""Clock, identifiers, heartbeat, metrics and logs of the running process."""
