"""What is written into pictures and read back: A1111 text, EXIF, XMP, our own job."""
