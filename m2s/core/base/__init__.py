"""Errors, instants and identifiers."""
