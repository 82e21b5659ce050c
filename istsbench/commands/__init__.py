"""The commands of `istsbench`; a command calls one library function and prints."""
