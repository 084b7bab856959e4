"""The catalog in a browser, through Datasette."""
