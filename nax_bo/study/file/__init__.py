"""The file of a study: what it holds, how it is written, read, checked and saved."""
