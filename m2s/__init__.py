"""m2s serves: sightings in, visits, decisions and messages out."""
