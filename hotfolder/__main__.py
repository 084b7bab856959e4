"""`python -m hotfolder` is the command `hotfolder`."""

from hotfolder.cli import main

main()
