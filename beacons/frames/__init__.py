"""Frames: what a beacon sends, byte by byte, and the identity that it states. A frame is a claim, never a proof."""
