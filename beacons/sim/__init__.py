"""The in-store simulator: radio model, walking shoppers, and phones that delay, repeat and drift."""
