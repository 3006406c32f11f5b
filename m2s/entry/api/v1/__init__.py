"""The routes of version 1, one module per thing, each with its schemas beside it."""
