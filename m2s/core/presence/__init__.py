"""Who was where: sightings, evidence, presence and visits."""
