"""Chains, as they are written."""
