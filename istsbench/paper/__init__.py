"""What goes into a paper, and what papers print."""
