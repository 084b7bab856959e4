"""The SQLite catalog: the queue, the pictures and how both are written."""
