"""How stores and recorded traces come in: GeoJSON, OpenStreetMap, CSV; GPX, OwnTracks, JSON lines."""
