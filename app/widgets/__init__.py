"""Pieces that several pages share; each returns plain values and owns its keys."""
