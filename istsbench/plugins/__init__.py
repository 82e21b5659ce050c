"""For those who add a method: the check, a package to start from, the page of methods."""
