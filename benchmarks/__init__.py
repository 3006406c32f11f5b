"""How fast is it? Ratios measured side by side in one run; run with `make bench`."""
