"""Proof by killing: real processes, real SIGKILL, and promises checked from outside."""
