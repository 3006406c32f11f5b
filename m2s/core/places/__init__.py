"""Where: stores, zones, metres, opening hours, and which zones a point is in."""
