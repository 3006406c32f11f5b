"""How stores come in: GeoJSON, OpenStreetMap, CSV."""
