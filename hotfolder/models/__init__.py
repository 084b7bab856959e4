"""Model weights: where they lie, how they are loaded, what stays in memory."""
