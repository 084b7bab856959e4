"""hotfolder turns a folder into an AI image workstation."""

__version__ = "0.1.0"
