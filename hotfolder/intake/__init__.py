"""From a dropped file to a claimed drop with its jobs in the queue."""
