"""Sensing: iBeacon frames and identities, ranging, places. Knows nothing of the service."""
