"""What hotfolder costs around the models."""
