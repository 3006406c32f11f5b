"""Consent, retention and pseudonyms."""
