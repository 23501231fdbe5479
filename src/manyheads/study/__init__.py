"""A study file becomes a checked plan: what is read, compared and trained, step by step. Imports no torch."""
